"""Tables of the gateway: deadlines, load and what goes through it, for `readme.py`."""

from typing import Any

from cells import measured


def vllm_deadlines(report: dict[str, Any]) -> str:
    lines = [
        "| load | limits | in time | without a solution | whole solutions | thinking tokens | p50, s | p99, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in report["loads"]:
        lines.append(
            f"| {line['load']:g} × capacity | {line['limits']} | {100 * line['in_time']:.1f} % | "
            f"{line['num_without_solution']} | {100 * line['whole']:.1f} % | {line['mean_thinking']:.0f} | "
            f"{line['seconds_p50']:.2f} | {line['seconds_p99']:.2f} |"
        )
    deadlines = ", ".join(sorted({f"{line['deadline_seconds']:.2f}" for line in report["loads"]}))
    return "\n".join(
        [
            *lines,
            "",
            f"{report['loads'][0]['num_requests']} requests of {report['budget']} tokens a line, "
            f"{report['num_rows']} rows; "
            f"deadlines {deadlines} s. {measured(report)}, vLLM {report['versions']['vllm']}.",
        ]
    )


def deadlines(report: dict[str, Any]) -> str:
    lines = [
        "| engine | load | limits | refused | in time | without a solution | right, in time, of all |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for name, engine in (("local", "embedded"), ("vllm", "vLLM")):
        found = report[name]
        for line in found["loads"]:
            is_bound = line["limits"] == "deadline"
            lines.append(
                f"| {engine} | {line['load']:g} × capacity | {line['limits']} | {line['num_refused']} | "
                f"{'**' * is_bound}{100 * line['in_time']:.1f} %{'**' * is_bound} | {line['num_without_solution']} | "
                f"{100 * line['right_in_time_of_all']:.1f} % |"
            )
        notes.append(
            f"{engine}: a deadline of {found['deadline_seconds']:.2f} s, which is what a request takes at full load, "
            f"{found['capacity']:.0f} requests/s; {found['num_impossible_refused']} of {found['num_impossible']} "
            f"impossible deadlines refused at once. {measured(found)}."
        )
    num = report["local"]["loads"][0]["num_requests"]
    return "\n".join(
        [*lines, "", f"{num} requests a line, in shares of those admitted but for the last column. {' '.join(notes)}"]
    )


def gateway_load(report: dict[str, Any]) -> str:
    streams, memory, beside = report["streams"], report["memory"], report["beside"]
    lines = [
        "| answers | to the upstream alone | through the gateway | through LiteLLM's proxy | gateway / LiteLLM |",
        "|---|---|---|---|---|",
    ]
    sides = {(line["answers"], line["side"]): line for line in beside}
    for answers in ("whole", "streamed"):
        rates = [sides[answers, side]["requests_per_second"] for side in ("direct", "gateway", "litellm")]
        lines.append(
            f"| {answers} | {rates[0]:,.0f}/s | {rates[1]:,.0f}/s | {rates[2]:,.0f}/s | {rates[1] / rates[2]:.1f} |"
        )
    whole = {side: sides["whole", side]["last_byte_milliseconds"] for side in ("gateway", "litellm")}
    return "\n".join(
        [
            *lines,
            "",
            f"{streams['num_streams']} streams of {streams['tokens_per_second']:g} tokens/s each: "
            f"{streams['added_p99_milliseconds']:.1f} ms added to a token at p99, "
            f"{streams['gateway']['p50_milliseconds']:.1f} ms at p50, "
            f"{streams['processor_microseconds_a_token']:.0f} µs of processor time a token. One whole answer alone: "
            f"{whole['gateway']:.1f} ms ({whole['litellm']:.1f} through LiteLLM). Memory after "
            f"{memory[0]['num_requests']:,} requests {memory[0]['megabytes']:.0f} MB, after "
            f"{memory[-1]['num_requests']:,} {memory[-1]['megabytes']:.0f} MB. Upstream, clients and gateway share "
            f"the machine; its load before was {report['load_before']:.1f}. {measured(report)}.",
        ]
    )


def gateway_vllm(report: dict[str, Any]) -> str:
    lines = [
        "| hidden size | vLLM alone, tokens/s | through the gateway | share | processor time a token: vLLM, gateway |",
        "|---|---|---|---|---|",
    ]
    for one in report["figures"]:
        lines.append(
            f"| {one['hidden_size']} | {one['direct_tokens_per_second']:,} | {one['gateway_tokens_per_second']:,} | "
            f"{one['ratio']:.2f}{'' if one['reached'] else ' (**missed**)'} | "
            f"{one['vllm_processor_microseconds_a_token']:,.0f} µs, "
            f"{one['gateway_processor_microseconds_a_token']:.0f} µs |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{report['num_streams']} streams, one pass; wanted is {report['target']:.2f}. vLLM computes on the same "
            f"{report['machine']['cores']} cores on which the gateway and the clients run, so that every µs of the "
            f"gateway is one less for vLLM. {measured(report)}, vLLM {report['versions']['vllm']}.",
        ]
    )


def prefix_routing(report: dict[str, Any]) -> str:
    lines = [
        "How many of the tokens of prompts two vLLM servers had in their caches:\n",
        "| chosen by | found in a cache | of the most that can be | requests at the busier server |",
        "|---|---|---|---|",
    ]
    for name, side in report["sides"].items():
        found, share = side["hit_rate"], side["hit_rate"] / report["best"]
        lines.append(f"| {name} | {found:.1%} | {share:.2f} | {side['busiest']:.0%} |")
    made = report["settings"]
    lines.append(
        f"\n{made['problems']} problems of {made['prompt']} ids, {made['header']} of which all begin with, "
        f"{made['requests_each']} requests each, {made['concurrency']} at once. "
        f"{measured(report)}, vLLM {report['versions']['vllm']}."
    )
    return "\n".join(lines)
