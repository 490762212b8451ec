#!/usr/bin/env python3
"""Check that a transaction is in a ledger's sealed history. Needs Python 3.11 or newer and nothing else.

    python verify_proof.py proof.json --published 3f1c…             the hash that was published
    python verify_proof.py proof.json --published roots.txt         or any text with such hashes in it
    python verify_proof.py proof.json --published … --seals s.json  if only a later epoch was published
    python verify_proof.py proof.json --published … --transaction t.json

proof.json is the answer of GET /v1/ledgers/{ledger}/transactions/{id}/proof, s.json of GET /v1/ledgers/{ledger}/seals,
and t.json of GET /v1/ledgers/{ledger}/transactions/{id}: what you were shown is then compared with what was sealed.

Exit codes: 0 valid; 1 invalid; 2 a file cannot be used. How each hash is made is in docs/tamper-evidence.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

LEAF, NODE, CHAINED = b"\x00", b"\x01", b"\x02"
STATES = {"posted": ("posted",), "pending": ("pending", "posted", "voided", "expired")}


class Invalid(Exception):
    """The proof does not hold."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(leaf, index, size, path):
    """Return the root that the path leads to from a leaf's hash (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Invalid("The leaf's index is not within the tree.")
    found, left, last = leaf, list(path), size - 1
    while last > 0:
        # The last one of an odd level goes up alone.
        if index != last or index % 2 == 1:
            if not left:
                raise Invalid("The path is too short for a tree of this size.")
            sibling = left.pop(0)
            found = sha256(NODE, sibling, found) if index % 2 else sha256(NODE, found, sibling)
        index, last = index // 2, last // 2
    if left:
        raise Invalid("The path is too long for a tree of this size.")
    return found


def chain_hash(header):
    """Return the hash that a seal is known by."""
    return sha256(CHAINED, header.encode())


def check_inclusion(proof):
    """Return the seal's header and hash, once the leaf is shown to be in it."""
    header = json.loads(proof["seal"]["header"])
    leaf = json.loads(proof["leaf"])
    first, last = int(header["first_seq"]), int(header["last_seq"])
    if leaf["ledger"] != header["ledger"]:
        raise Invalid("The leaf and the seal are of two ledgers.")
    index, size = int(leaf["seq"]) - first, last - first + 1
    if (proof["index"], proof["size"]) != (index, size):
        raise Invalid("The index or the size is not that of the seal.")
    path = [bytes.fromhex(each) for each in proof["path"]]
    if root_of(sha256(LEAF, proof["leaf"].encode()), index, size, path).hex() != header["root"]:
        raise Invalid("The path does not lead from the leaf to the seal's root.")
    return header, chain_hash(proof["seal"]["header"]).hex()


def check_published(header, known, published, seals):
    """Check that the seal is published, or that the seals after it lead to one that is."""
    following = {}
    for each in seals:
        said = json.loads(each["header"])
        if said["ledger"] == header["ledger"]:
            following[int(said["epoch"])] = (said["previous"], chain_hash(each["header"]).hex())
    epoch = int(header["epoch"])
    while known not in published:
        epoch += 1
        if epoch not in following:
            raise Invalid("The seal is not among what was published, nor do the given seals lead to one that is.")
        previous, after = following[epoch]
        if previous != known:
            raise Invalid(f"The seal of epoch {epoch} does not continue the one before.")
        known = after


def check_transaction(leaf, shown):
    """Check that a transaction, as the API shows it, is the sealed one."""
    sealed = leaf["transaction"]
    if shown["status"] not in STATES[sealed["status"]]:
        raise Invalid("The transaction that was shown has another status.")
    for name in ("id", "reference", "description", "metadata", "pending_of", "reverses"):
        if shown[name] != sealed[name]:
            raise Invalid(f"The transaction that was shown has another {name}.")
    for name in ("effective_at", "recorded_at", "expires_at"):
        if moment(shown[name]) != moment(sealed[name]):
            raise Invalid(f"The transaction that was shown has another {name}.")
    # What a final post gives back is shown apart from what it posts.
    sealed_lines = {"postings": [], "released": []}
    for line in leaf["postings"]:
        gives_back = sealed["status"] == "posted" and line["effect"] == "released"
        sealed_lines["released" if gives_back else "postings"].append(sealed_line(line))
    for name, wanted in sealed_lines.items():
        if list(map(shown_line, shown.get(name, []))) != wanted:
            raise Invalid(f"The transaction that was shown has other {name}.")


def moment(text):
    return None if text is None else datetime.fromisoformat(text)


def shown_line(line):
    side = "debit" if "debit" in line else "credit"
    return (line["account"], line["currency"], side, *(Decimal(line[name]) for name in (side, "balance", "available")))


def sealed_line(line):
    sides = ["debits", "credits"] if line["account_type"] in ("asset", "expense") else ["credits", "debits"]
    balance = int(line[f"{sides[0]}_posted"]) - int(line[f"{sides[1]}_posted"])
    figures = (int(line["amount"]), balance, balance - int(line[f"{sides[1]}_pending"]))
    unit = Decimal(1).scaleb(-line["exponent"])
    return (line["account"], line["currency"], line["side"], *(figure * unit for figure in figures))


def read(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SystemExit(unusable(f"{path}: {exc}")) from exc


def hashes_in(text):
    """Return the hashes in a file, or the one that is given itself."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as exc:
            raise SystemExit(unusable(f"{text}: {exc}")) from exc
    return {found.lower() for found in re.findall(r"\b[0-9a-fA-F]{64}\b", text)}


def unusable(message):
    print(message, file=sys.stderr)
    return 2


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proof", metavar="PROOF")
    parser.add_argument("--published", required=True, metavar="HASH-OR-FILE", help="what was published of the seals")
    parser.add_argument(
        "--seals", action="append", default=[], metavar="FILE", help="seals after the proof's; repeatable"
    )
    parser.add_argument("--transaction", metavar="FILE", help="the transaction as you were shown it")
    options = parser.parse_args(arguments)
    proof = read(options.proof)
    seals = [seal for path in options.seals for seal in read(path)["items"]]
    try:
        header, known = check_inclusion(proof)
        check_published(header, known, hashes_in(options.published), seals)
        leaf = json.loads(proof["leaf"])
        if options.transaction:
            check_transaction(leaf, read(options.transaction))
    except Invalid as exc:
        print(f"INVALID: {exc}")
        return 1
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return unusable(f"{options.proof} or another file is not what the service answers: {exc!r}")
    place = f"event {leaf['seq']} of ledger {leaf['ledger']}, in epoch {header['epoch']}"
    print(f"valid: {leaf['type']} {leaf['event']} is {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
