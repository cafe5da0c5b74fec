#!/usr/bin/env python3
"""Makes one script of the sh blocks of a guide, from standard input to standard output.

    blocks.py FIRST     the block to begin with, counted from 1

A text block after an sh block is what that one must print; … stands for anything. The script ends with 1 at the first
block that fails or prints something else, and says how many passed otherwise.
"""

import re
import shlex
import sys

HEAD = """set -euo pipefail
shown() {
  WANT=$1 python3 -c '
import os, re, sys
want, got = os.environ["WANT"], open("printed", encoding="utf-8").read()
if not re.fullmatch(re.escape(want).replace("…", ".*?"), got, re.DOTALL):
    sys.exit("the guide shows:\\n" + want + "but it prints:\\n" + got)'
}"""


def main():
    first = int(sys.argv[1])
    found = re.findall(r"^```(\w*)\n(.*?)^```$", sys.stdin.read(), re.MULTILINE | re.DOTALL)
    print(HEAD)
    number = 0
    for kind, text in found:
        if kind == "sh":
            number += 1
        if number < first:
            continue
        if kind == "sh":
            print(f"echo block {number}\n{{\n{text}}} >printed")
        elif kind == "text":
            print("shown", shlex.quote(text))
    if number < first:
        sys.exit(f"want at least {first} blocks, got {number}")
    print(f"echo {number - first + 1} blocks passed")


main()
