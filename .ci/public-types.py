"""Lists the types of other crates in a public API that its Cargo.toml does not allow.

usage: public-types.py RUSTDOC.json CARGO.toml
"""

import fnmatch
import json
import sys
import tomllib

# These belong to the language.
LANGUAGE = {"std", "core", "alloc"}
# Kinds of items whose own text holds no types.
SKIPPED = {"extern_crate", "macro", "proc_macro", "primitive"}


def foreign(value, own_crates, paths, crates):
    """Every path of another crate in a part of the description."""
    if isinstance(value, list):
        for one in value:
            yield from foreign(one, own_crates, paths, crates)
    elif isinstance(value, dict):
        # A type, a trait, or a bound: they have an id and a path.
        known = paths.get(str(value["id"])) if "id" in value and "path" in value else None
        if known is not None and known["crate_id"] != 0:
            name = crates[str(known["crate_id"])]["name"]
            if name not in LANGUAGE | own_crates:
                yield "::".join(known["path"])
        for one in value.values():
            yield from foreign(one, own_crates, paths, crates)


def main(description, manifest):
    with open(description, encoding="utf-8") as file:
        api = json.load(file)
    with open(manifest, "rb") as file:
        metadata = tomllib.load(file)["package"].get("metadata", {})
    allowed = metadata.get("cargo_check_external_types", {}).get("allowed_external_types", [])
    index, paths, crates = api["index"], api["paths"], api["external_crates"]
    own_crates = {crate["name"] for crate in crates.values() if crate["name"].startswith("scopeward")}
    found = {}
    for key, item in index.items():
        kind, inner = next(iter(item["inner"].items()))
        if item["crate_id"] != 0 or kind in SKIPPED or "#[doc(hidden)]" in str(item["attrs"]):
            continue
        if kind == "impl":
            # What the compiler derives for every type says nothing of ours, and a trait that somebody
            # implements for all types is not ours.
            if inner["is_synthetic"] or inner["blanket_impl"]:
                continue
            inner = {"trait": inner["trait"], "for": inner["for"], "generics": inner["generics"]}
        path = paths.get(key, {}).get("path") or [item["name"] or kind]
        for one in foreign(inner, own_crates, paths, crates):
            found.setdefault(one, set()).add("::".join(path))
    unknown = {
        one: places
        for one, places in found.items()
        if not any(fnmatch.fnmatchcase(one, pattern) for pattern in allowed)
    }
    unused = [pattern for pattern in allowed if not fnmatch.filter(found, pattern)]
    for one, places in sorted(unknown.items()):
        print(f"{one} is part of the public API: {', '.join(sorted(places)[:5])}")
    for pattern in unused:
        print(f"{manifest} allows {pattern}, which the public API does not have")
    if unknown:
        print(f"Take them out of the API, or add them to `allowed_external_types` in {manifest}.")
    return 1 if unknown or unused else 0


sys.exit(main(sys.argv[1], sys.argv[2]))
