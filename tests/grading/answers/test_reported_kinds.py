r"""The kinds of answers that users of graders report as misjudged, each with its near misses.

A line is "reference | answer"; those under "=" are equal, those under "!" are not.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from elastic_reasoning.grading.answers.mathematics import MathGrader

KINDS = {
    "symbols that are positive": r"""
= \sqrt{\frac{k}{m}} | \frac{\sqrt{k}}{\sqrt{m}}
= \sqrt{\frac{k}{m}} | \frac{\sqrt{km}}{m}
= 2\pi\sqrt{\frac{L}{g}} | \frac{2\pi\sqrt{L}}{\sqrt{g}}
= 3\ln x | \ln x^3
= \ln\left(\frac{x}{y}\right) | \ln x - \ln y
= \frac{1}{2}\ln a | \ln\sqrt{a}
= \tau\ln(1/\Delta) | -\tau\ln\Delta
= b\sqrt{3} | \sqrt{3b^2}
= r\sqrt{\pi h} | \sqrt{\pi r^2 h}
= (ab)^{1/2} | \sqrt{a}\sqrt{b}
= \frac{v}{\sqrt{1-v^2/c^2}} | \frac{vc}{\sqrt{c^2-v^2}}
= x^{5/2} | x^2\sqrt{x}
= \log(xy) | \log x + \log y
= \ln|x|+x | \ln x+x
= \sqrt{ab}+c | \sqrt{a}\sqrt{b}+c
! \sqrt{\frac{k}{m}} | \sqrt{\frac{m}{k}}
! \sqrt{gl} | \sqrt{g}+\sqrt{l}
! 2\ln a | \ln(2a)
! \ln(ab) | \ln a\ln b
! |x| | x
! x | |x|
! |x-1| | x-1
! f(x)=\sqrt{x^2} | f(x)=x
! \sqrt{a^2+b^2} | a+b
! \sqrt{(a-b)^2} | a-b
! x^{3/2} | x\sqrt[3]{x}
! \tau\ln\Delta | -\tau\ln\Delta
! a\sqrt{2} | \sqrt{2a}
! \frac{\sqrt{2h}}{g} | \sqrt{\frac{2h}{g}}
""",
    "one object, two forms": r"""
= \{1,2,3\} | \{1\}\cup\{2,3\}
= \{1,3\}\cup\{2,4\} | 1,2,3,4
= (3,-1) | \langle 3,-1\rangle
= (3,-1) | \begin{pmatrix}3\\-1\end{pmatrix}
= \begin{bmatrix}3\\-1\end{bmatrix} | (3,-1)
= \begin{bmatrix}3\\-1\end{bmatrix} | \begin{pmatrix}3\\-1\end{pmatrix}
= \langle 0.5,2\rangle | \begin{pmatrix}\frac12\\2\end{pmatrix}
= x>2 \text{ or } x<-2 | (-\infty,-2)\cup(2,\infty)
= (-\infty,-2]\cup[2,\infty) | x\le -2 \text{ or } x\ge 2
= (-\infty,-2]\cup[2,\infty) | x\ge 2 \text{ or } x\le -2
= (-\infty,1)\cup(1,\infty) | x\ne 1
= (-\infty,1)\cup(1,\infty) | \mathbb{R}\setminus\{1\}
= x\ge 0 | [0,\infty)
= 2<x<3 | \{x \mid 2<x<3\}
= \{x : x>2\} | \{y : y>2\}
= 3\pm\sqrt{2} | 3\mp\sqrt{2}
= \infty | infinity
= -\infty | -infinity
= \infty | \text{infinity}
= \mathbb{R} | (-\infty,\infty)
= \emptyset | \text{no solutions}
= \text{No solution} | \text{There are no solutions}
= [0,1]\cup[1,2] | [0,2]
= y=2x+1 | 2x-y+1=0
= \frac{x^2}{9}+\frac{y^2}{4}=1 | 4x^2+9y^2=36
= y^2=8x | x=\frac{y^2}{8}
= 12:00 | 12:00 \text{ p.m.}
= 3:15 \text{ PM} | 15:15
= \text{July 4} | 4 July
= f(x)=1 \text{ or } f(x)=x | f(x)=x, f(x)=1
! \{1,2,3\} | \{1\}\cup\{2\}
! (3,-1) | \langle -1,3\rangle
! (3,-1) | \begin{pmatrix}-1\\3\end{pmatrix}
! \begin{pmatrix}3\\-1\end{pmatrix} | \begin{pmatrix}3&-1\end{pmatrix}
! x>2 \text{ or } x<-2 | (-2,2)
! x>2 \text{ or } x<-2 | (-\infty,-2]\cup(2,\infty)
! (-\infty,1)\cup(1,\infty) | x\ne 2
! (-\infty,1)\cup(1,\infty) | \mathbb{R}
! 3\pm\sqrt{2} | 3\pm\sqrt{3}
! 3\pm\sqrt{2} | 3+\sqrt{2}
! \infty | -\infty
! x>2 | y>2
! [0,1]\cup[2,3] | [0,3]
! \emptyset | \{0\}
! \text{no solution} | 0
! 3:15 \text{ PM} | 3:15 \text{ AM}
! 3:15 \text{ PM} | 3:51 \text{ PM}
! \text{July 4} | \text{July 5}
! \text{July 4} | \text{June 4}
! y=2x+1 | 2x-y-1=0
! \frac{x^2}{9}+\frac{y^2}{4}=1 | \frac{x^2}{4}+\frac{y^2}{9}=1
= \mathbb{R} | \text{all real numbers}
= (1,2)\cup(3,4) | x\in(1,2)\text{ or }x\in(3,4)
= xy=1 | y=\frac{1}{x}
! \mathbb{R} | \text{all positive real numbers}
! xy=1 | y=x
! y=x+1 | y=\frac{x^2-1}{x+1}
= -1<x<1 | |x|<1
= (-\infty,-1]\cup[1,\infty) | |x|\ge 1
= \vec{v}=\langle 1,2\rangle | \begin{pmatrix}1\\2\end{pmatrix}
= (1,2) | (1,2)^T
! -1<x<1 | |x|\le 1
! (-\infty,-1]\cup[1,\infty) | |x|>1
! |x|<1 | |x|<2
""",
    "qualifiers and labels": r"""
= 5k | n=5k \text{ for all integers } k
= 5k | 5k \text{ where } k \text{ is an integer}
= 5k | 5k, k\in\mathbb{Z}
= f(x)=3x | f(x)=3x \text{ for all } x\in\mathbb{R}
= f(x)=cx, c \text{ an arbitrary constant} | f(x)=cx
= n\equiv 2\pmod 5 | n\equiv 2\pmod{5}
= n\equiv 2\pmod 5 | n\equiv 2 \bmod 5
= n\equiv 2\pmod 5 | n\equiv -3\pmod 5
= n\equiv 1,4\pmod 5 | n\equiv 4,1\pmod{5}
= 5 | \text{The answer is } 5
= 5 | \text{Answer: }5
= \frac{1}{2} | \text{The probability is }\frac{1}{2}
= 7,14 | \text{Ann: }7, \text{Bob: }14
= \text{Ann: }7, \text{Bob: }14 | \text{Bob: }14, \text{Ann: }7
= B | \textbf{(B)}\ 12
= 12 | \textbf{(B)}\ 12
= \text{(B)} | \text{B. } 12
= 5 | \approx 5
= 5 | 5\text{ (approximately)}
= \text{all even } n | \text{even } n
= \text{DNE} | \text{the limit does not exist}
! 5k | n=4k \text{ for all integers } k
! n\equiv 2\pmod 5 | n\equiv 3\pmod 5
! n\equiv 2\pmod 5 | n\equiv 2\pmod{10}
! n\equiv 2\pmod 5 | 2
! n\equiv 2\pmod 5 | m\equiv 2\pmod 5
! n\equiv 1,4\pmod 5 | n\equiv 1\pmod 5
! 5 | \text{The answer is } 6
! \text{Ann: }7, \text{Bob: }14 | \text{Ann: }14, \text{Bob: }7
! B | \textbf{(C)}\ 12
! 12 | \textbf{(B)}\ 13
! 5 | 5\text{ or }6
! n | n\text{ even}
! \text{even } n | \text{odd } n
! 5 | 5 \text{ if } n \text{ is even}
! \text{No} | \text{no solution}
= 5 | \text{The answer is 5}
= x\equiv 3\pmod{7} | x\equiv 3\text{ (mod 7)}
= \text{infinitely many} | \text{infinitely many solutions}
! 5 | \text{The answer is 15}
! \text{one solution} | \text{no solutions}
= 3,4 | \text{(a) }3, \text{(b) }4
= C | \text{Option C}
= 4n+1 | 4k+1 \text{ for integer }k
= f(x)=ax \text{ for some constant }a | f(x)=cx \text{ for some constant }c
! C | \text{Option D}
! 3,4 | \text{(a) }3, \text{(b) }5
! 4n+1 | 4k+2 \text{ for integer }k
! f(x)=ax \text{ for some constant }a | f(x)=cx^2 \text{ for some constant }c
= 2^k-1 | 2^k-1 \text{ for } k\ge 1
! x \text{ if } x>0 | x
= 4 | 4\text{ sides}
! 5 | 5\text{ squared}
! 5 | \text{at least }5
! 5 | \text{not }5
! 5 | 5\text{ more than }x
! 5 | 5\text{ is not possible}
! A | \text{(A) or (B)}
! 0 | \text{no solution}
""",
    "no backslash, Unicode": r"""
= \frac{\pi}{3} | pi/3
= 3\sqrt{5} | 3sqrt5
= 3\sqrt{5} | 3*sqrt(5)
= \frac{1+\sqrt{5}}{2} | (1+sqrt(5))/2
= e^{16} | exp(16)
= x^{2} | x**2
= \sqrt{x+1} | sqrt(x+1)
= \sqrt{53} | √53
= \sqrt{1+x} | √(1+x)
= \sqrt[3]{2} | ∛2
= \frac{2\pi}{3} | 2π/3
= x_{12} | x₁₂
= 10^{-3} | 10⁻³
= 5\text{ m/s}^2 | 5 m/s²
= \cos x | cos(x)
= \ln 3 | ln 3
= \tan\theta | tan(θ)
= \alpha | alpha
= \frac{3}{4} | ¾
= x\ge 2 | x >= 2
= \sqrt{2}\cdot\sqrt{3} | sqrt(2)*sqrt(3)
= e^{-x^2} | exp(-x^2)
= \log_2 3 | log_2(3)
= \frac{1}{x^{2}} | x^(-2)
! \sqrt{53} | √5·3
! \frac{\pi}{3} | pi*3
! 3\sqrt{5} | sqrt(15)
! e^{16} | exp(61)
! x^{2} | x*2
! x_{1} | x²
! 10^{-3} | 10³
! \sqrt[3]{2} | √2
! \sin x | cos(x)
! \sqrt{x+1} | sqrt(x)+1
! \sqrt{1+x} | √1+x
! \frac{2\pi}{3} | 2π·3
! \alpha | a
! \frac{3}{4} | ¼
! \ln 3 | log_2(3)
= \log_{10}5 | log10(5)
= |x-1| | abs(x-1)
= 30^\circ | 30º
! \log_{10}5 | log2(5)
! |x-1| | (x-1)
= \sqrt{5} | \sqrt(5)
= \arctan 2 | atan(2)
= \sum_{k=1}^{10}k | 55
! \sqrt{5} | \sqrt(6)
! \arctan 2 | tan(2)
! \sum_{k=1}^{10}k | 10
""",
    "imaginary unit": r"""
= 2i | (1+i)^2
= -1 | e^{i\pi}
= -4 | (1+i)^4
= i | e^{i\pi/2}
= \frac{1}{2}-\frac{i}{2} | \frac{1}{1+i}
= 5 | (2+i)(2-i)
= -1 | i^2
= 1+i\sqrt{3} | 2e^{i\pi/3}
= \frac{A}{1+i}e^{it} | \frac{A(1-i)}{2}e^{it}
= \cos t+i\sin t | e^{it}
= 13 | |5+12i|
= 2+2i | 2i+2
= \frac{e^{ix}-e^{-ix}}{2i} | \sin x
= -i | i^3
= 3-4i | 3-4\mathrm{i}
! 2i | (1-i)^2
! 2i | 2
! 1 | e^{i\pi}
! i | e^{-i\pi/2}
! 5 | (2+i)(2+i)
! 1+i\sqrt{3} | 2e^{-i\pi/3}
! \cos t+i\sin t | e^{-it}
! -1 | i
! x_i | x
! \frac{A}{1+i}e^{it} | \frac{A(1+i)}{2}e^{it}
! 3-4i | 3+4i
! ai | a
! 2 | 2i
! i | j
! -i | i
""",
    "constants and names": r"""
= Ce^{3x} | ce^{3x}
= x^2+C | x^2+c
= x^2+C | x^2+K
= C_1e^{x}+C_2e^{-x} | C_2e^{x}+C_1e^{-x}
= C_1\cos x+C_2\sin x | c_1\sin x+c_2\cos x
= \ln x+C | \ln x+c
= \frac{x^3}{3}-x+c | \frac{1}{3}x^3-x+C
= Cx^{-2}+1 | 1+\frac{c}{x^2}
= f(x)=x^2+1 | f(t)=t^2+1
= f(x,y)=x+2y | f(a,b)=a+2b
= f(z)=z | f(x)=x
= \frac{\pi}{4}+n\pi | \frac{\pi}{4}+k\pi
= 2\pi k | 2n\pi
= \frac{\pi}{6}+2k\pi, \frac{5\pi}{6}+2k\pi | \frac{\pi}{6}+2n\pi, \frac{5\pi}{6}+2n\pi
= 3k \text{ for all integers } k | 3m \text{ for all integers } m
= y'=3y | \frac{dy}{dx}=3y
= \frac{dx}{dt}=kx | \dot{x}=kx
! Ce^{3x} | Ce^{-3x}
! Ce^{3x} | ae^{3x}
! 2x+c | 2y+c
! C_1e^{x}+C_2e^{-x} | C_1e^{x}+C_2e^{-2x}
! C_1e^{x}+C_2e^{-x} | C_1e^{x}
! mc^2 | mC^2
! mc | mC
! RC | Rc
! f(x)=x | g(x)=x
! f(x)=x^2+a | f(t)=t^2+b
! f(x,y)=x+2y | f(y,x)=x+2y
! f(x)=ax | f(a)=ax
! \frac{\pi}{4}+n\pi | \frac{\pi}{4}+2n\pi
! 2n | 2k
! nx | kx
! C | c
! y'=3y | x'=3x
! y''=3y | y'=3y
= C_1e^{2x}+C_2 | Ae^{2x}+B
= a_n=2n+1 | a_k=2k+1
! a_n=2n+1 | b_n=2n+1
! v_x=5 | v_y=5
! f(x)=cx | f(x)=ax
= v(t)=v_0+at | v=v_0+at
= m\frac{dv}{dt}+bv=f | m\dot{v}=f-bv
! f(x)=2x | f(y)=2x
! v(t)=v_0+at | v(s)=v_0+at
! m\frac{dv}{dt}+bv=f | m\ddot{v}+bv=f
""",
    "right-hand sides": r"""
= 5 | x=5
= 5 | x_1=5
= 5 | f(2)=5
= 5 | AB=5
= 5 | |AB|=5
= \frac{1}{2} | P(A)=\frac{1}{2}
= 60^\circ | \angle ABC=60^\circ
= 14 | 7+7=14
= \frac{3}{5} | \sin\theta=\frac{3}{5}
= 3x+1 | f(x)=3x+1
= 3x+1 | y=3x+1
= 5 | x=2+3=5
= (1,2) | (x,y)=(1,2)
= 12 | \text{Area}=12
= 2\pi | 2\pi\approx 6.28
= x^2+y^2=25 | y^2+x^2=25
! 25 | x^2+y^2=25
! 0 | x^2-4=0
! 0 | 3x+4y-7=0
! 4 | x^2=4
! 10 | 2x=10
! 1 | x+y=1
! x^2+y^2=25 | 25
! 2x+4y-3=0 | 0
! x=5 | y=5
! 5 | x>5
! 6 | xy=6
! 3x+1=0 | 3x+1
! x=0 | x^2=0x
! x=2 | x^2=4
! 2 | x-2=0
! 5 | x=5+1
= 3 | \angle A=3
= 3 | n(A\cap B)=3
= \frac{3}{8} | P(X=2)=\frac{3}{8}
! 3 | P(X=3)=\frac{3}{8}
! 3 | n(A)+n(B)=3
""",
    "units": r"""
= 5\text{ kJ} | 5000\text{ J}
= 5000\text{ J} | 5\text{ kJ}
= 10\text{ MeV} | 0.01\text{ GeV}
= 2\text{ L} | 2000\text{ mL}
= 90\text{ min} | 1.5\text{ hours}
= \frac{1}{2}\text{ km} | 500\text{ m}
= 3\text{ m}^2 | 30000\text{ cm}^2
= 72\text{ km/h} | 20\text{ m/s}
= 3\text{ ft} | 36\text{ inches}
= \$2.50 | 250\text{ cents}
= 300\text{ K} | 26.85^\circ\text{C}
= 180^\circ | \pi\text{ rad}
= 1.55 | 1.55\text{ eV}
= 36 | 36 mL
= 5 | 5\,\Omega
= 5 | 5\ \text{k}\Omega
= 5 | 5 m/s
= 5 | 5 J
= 5 | 5\text{ square units}
= 9.8\text{ m/s}^2 | 9.8\,\mathrm{m\,s^{-2}}
= 5\text{ N m} | 5\text{ N}\cdot\text{m}
= 5\text{ mi} | 5\text{ miles}
= 18 | 18人
= 7\text{ students} | 7\text{ students}
= 7\text{ students} | 7
= 20\text{ million} | 20{,}000{,}000
= 2.5\text{ million dollars} | \$2{,}500{,}000
= 3\times10^{8}\text{ m/s} | 3\times10^{5}\text{ km/s}
! 5\text{ kJ} | 5\text{ J}
! 10\text{ MeV} | 10\text{ GeV}
! 2\text{ L} | 2\text{ mL}
! 5\text{ kg} | 5\text{ pounds}
! 5\text{ kg} | 5\text{ m}
! 5\text{ m} | 5\text{ m}^2
! 5\text{ m/s} | 5\text{ m/s}^2
! 5\text{ m/s} | 5\text{ km/h}
! 20\text{ June} | 20\text{ July}
! 12\text{ noon} | 12\text{ midnight}
! 5\text{ dollars} | 5\text{ cents}
! 5\text{ dollars} | 5\text{ euros}
! 30^\circ | 30\text{ rad}
! 300\text{ K} | 300^\circ\text{C}
! 7\text{ students} | 7\text{ teachers}
! 7\text{ km} | 7\text{ students}
! 20\text{ million} | 20
! 20\text{ million} | 20\text{ billion}
! 5 | 5 x
! 5 | 5 ab
! 5 | 5J
! 5\text{ mA} | 5\text{ MA}
! 5\text{ cm} | 5\text{ mm}
! 5 | 6\text{ cm}
! 0.5 | 50\text{ cm}
! 6m | 6
= 2\text{ hours }30\text{ minutes} | 150\text{ minutes}
= 66\text{ inches} | 5\text{ feet }6\text{ inches}
= 2.5\text{ h} | 2\text{ hours and }30\text{ minutes}
! 2\text{ hours }30\text{ minutes} | 2\text{ hours}
! 2\text{ hours }30\text{ minutes} | 230\text{ minutes}
! 5\% | 5\text{ cm}
! 5\text{ km} | 5000
= \text{5 hours} | 5
= 12\text{ in} | 1\text{ ft}
= 10\text{ N} | 10\ \mathrm{kg\cdot m/s^2}
= 5\,\Omega | 5
! \text{5 hours} | \text{5 minutes}
! 12\text{ in} | 12\text{ ft}
! 10\text{ N} | 10\ \mathrm{kg\cdot m/s}
""",
    "commas": r"""
= (1,7,103,105) | (1,7,103, 105)
= (1,7,103, 105) | (1, 7, 103, 105)
= (1,7,103, 105), (3, 5, 101, 107) | (1,7,103,105),(3,5,101,107)
= 15,000 | 15000
= 1,234,567 | 1 234 567
= 1000,2000 | 1,000, 2,000
= (1000,2000) | (1,000, 2,000)
= (15,0) | (15,000)
= 1,7,103 | \{1,7,103\}
= 12345.6 | 12,345.6
= 2400, 1350, 864 | 2,400, 1,350, 864
= \{100,200\} | \{100, 200\}
= (3,104) | (3, 104)
= 10{,}080 | 10080
= 1,2 | 1;2
! (1,7,103,105) | (1,7103,105)
! (1,7103,105) | (1,7,103, 105)
! (15,000) | 15000
! 15,000 | 15
! 15,000 | 15,0
! 1000,2000 | 1,0,2,0
! 1,7,103 | 17103
! (1,234) | 1234
! 12,345 | 12, 345
! 1,23 | 123
! 1,23 | 1.23
! 2,400 | 2, 400
! 1,2,3 | 1,23
! \{1,200\} | 1200
! 3,104 | 3.104
""",
}
ROWS = [
    pytest.param(*line[2:].split(" | ", 1), line[0] == "=", id=f"{kind}: {line}")
    for kind, table in KINDS.items()
    for line in table.strip().splitlines()
]


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with closing(MathGrader(num_workers=1)) as grader:
        yield grader


@pytest.mark.parametrize(("reference", "answer", "correct"), ROWS)
def test_answers_of_a_kind(grader: MathGrader, reference: str, answer: str, correct: bool) -> None:
    grade = grader.grade([reference], rf"Hence $\boxed{{{answer}}}$.")
    assert (grade.correct, grade.reason) == (correct, None if correct else "wrong answer")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_near_misses(kind: str) -> None:
    marks = [line[0] for line in KINDS[kind].strip().splitlines()]
    assert min(marks.count("="), marks.count("!")) >= 14
