"""Reads gcovr's JSON and prints the share of lines and branches that ran, by directory.

    python3 tools/coverage.py LINES.json MISSED.txt AIM_PERCENT

Branches on the lines of a CHECK or an UNREACHABLE (all lines of the statement) are left out: their
other side ends the process, and that it is never taken is what they state. So is the side of a
switch that no case takes, where UNREACHABLE stands for it. MISSED.txt lists what is left: file, line, how many branches
of how many were never taken, and the line's text. Exit status 1: fewer branches than the aim.
"""
import json
import re
import sys

STATEMENT = re.compile(r"\b(CHECK|UNREACHABLE)\(")
DIRECTORIES = ["ledger", "book", "journal", "operator"]


def statement_lines(source):
    """Numbers of the lines that belong to a CHECK or an UNREACHABLE."""
    lines = set()
    depth = 0
    for number, text in enumerate(source, 1):
        text = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', "", text)
        found = STATEMENT.search(text)
        if depth == 0 and found:
            text = text[found.end() - 1:]
        if depth > 0 or found:
            lines.add(number)
            depth += text.count("(") - text.count(")")
    return lines


def closed_switches(source):
    """Numbers of the lines of a switch whose other values are UNREACHABLE: said in its default, or
    right after it."""
    lines = set()
    for number, text in enumerate(source):
        if not re.match(r"\s*switch \(", text):
            continue
        indent = len(text) - len(text.lstrip())
        for at in range(number + 1, len(source)):
            if source[at].rstrip() == " " * indent + "}":
                break
        inside = source[number:at + 2]
        if any("UNREACHABLE(" in line for line in inside):
            lines.add(number + 1)
    return lines


def main(json_path, missed_path, aim):
    with open(json_path, encoding="utf-8") as file:
        report = json.load(file)
    sums = {name: [0, 0, 0, 0] for name in DIRECTORIES}
    missed = []
    for entry in report["files"]:
        with open(entry["file"], encoding="utf-8") as file:
            source = file.read().split("\n")
        left_out = statement_lines(source)
        closed = closed_switches(source)
        total = sums[entry["file"].split("/")[1]]
        for line in entry["lines"]:
            number = line["line_number"]
            if line["gcovr/noncode"] or number in left_out:
                continue
            total[0] += line["count"] > 0
            total[1] += 1
            branches = line["branches"]
            never = sum(branch["count"] == 0 for branch in branches)
            known = len(branches)
            if number in closed and never > 0:
                never -= 1
                known -= 1
            total[2] += known - never
            total[3] += known
            if never > 0:
                text = source[number - 1].strip()
                missed.append(f'{entry["file"]}:{number}: {never} of {known}: {text}\n')
    with open(missed_path, "w", encoding="utf-8") as file:
        file.writelines(missed)
    sums["all"] = [sum(column) for column in zip(*sums.values())]
    print(f'{"":10} {"lines":>16} {"branches":>24}')
    for name, (lines_hit, lines, hit, branches) in sums.items():
        print(f"{name:10} {100 * lines_hit / lines:6.1f} % of {lines:5}"
              f" {100 * hit / branches:8.1f} % ({hit} of {branches})")
    _, _, hit, branches = sums["all"]
    if 100 * hit < aim * branches:
        print(f"below the aim of {aim} % of the branches; what is missing: {missed_path}")
        return 1
    return 0


sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
