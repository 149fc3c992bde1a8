// All visible text whose contrast with what lies behind it is less than 4.5 (WCAG 2.1, AA).
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const layers = (node) => (node === null ? [] : [...layers(node.parentElement), getComputedStyle(node).backgroundColor]);
  const paint = (colours) => {
    for (const colour of ["white", ...colours]) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE).map((child) => child.data.trim()).join("");
    const shown = text || node.value || node.placeholder;
    if (!shown || !node.checkVisibility() || node.closest("option, svg, noscript, template, .visually-hidden, [type=range], [type=checkbox], :disabled")) continue;
    const behind = layers(node);
    const style = getComputedStyle(node, node.value ? null : node.placeholder ? "::placeholder" : null);
    const [light, dark] = [luminance(paint([...behind, style.color])), luminance(paint(behind))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${node.tagName} ${node.className}: ${shown.slice(0, 40)}`);
  }
  return faint;
}
