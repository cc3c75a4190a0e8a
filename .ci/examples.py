"""Lists the items of a public API that no example shows.

An item is shown by an example of its own, or by one of its module, its type or a neighbour that uses
it by its name. Fields, constants of a trait and what a trait demands are left to
their type.

usage: examples.py RUSTDOC.json
"""

import json
import re
import sys

TYPES = {"struct", "enum", "union", "trait", "type_alias"}
SHOWN = TYPES | {"function", "macro", "proc_macro", "constant"}


def code(docs):
    """The code of all examples of a text, and the names in it."""
    return "\n".join(re.findall(r"```(?!text|toml|json|sh|console)[^\n]*\n(.*?)```", docs or "", re.S))


def main(description):
    with open(description, encoding="utf-8") as file:
        api = json.load(file)
    index, paths = api["index"], api["paths"]
    root = index[str(api["root"])]
    missing, seen = [], set()

    def docs(key):
        """The text of an item, or of the item that it re-exports."""
        item = index.get(str(key))
        if item is None:
            return ""
        kind, inner = next(iter(item["inner"].items()))
        return docs(inner["id"]) if kind == "use" and inner.get("id") is not None else item["docs"]

    def visit(key, path, above):
        """Walks an item; `above` is the code of the examples that stand around it."""
        item = index.get(str(key))
        if item is None or item["crate_id"] != 0 or "#[doc(hidden)]" in str(item["attrs"]):
            return
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            if inner.get("id") is not None:
                visit(inner["id"], path, above)
            return
        if kind == "module":
            beside = [docs(one) for one in inner["items"]]
            around = "\n".join([code(item["docs"]), *map(code, beside)])
            for child in inner["items"]:
                visit(child, [*path, item["name"]], around)
            return
        if key in seen or kind not in SHOWN:
            return
        seen.add(key)
        own = code(item["docs"])
        name = item["name"]
        here = [*path, name]
        children = []
        if kind in TYPES:
            for impl in inner.get("impls", []) if isinstance(inner, dict) else []:
                block = index.get(str(impl))
                if block and block["inner"]["impl"]["trait"] is None and block["crate_id"] == 0:
                    children += [(index[str(one)], one) for one in block["inner"]["impl"]["items"] if str(one) in index]
            around = "\n".join([above, own, *(code(child["docs"]) for child, _ in children)])
        else:
            around = above
        is_shown = own or re.search(rf"\b{re.escape(name)}\b", around)
        if not is_shown:
            span = item["span"]
            missing.append(f"{span['filename']}:{span['begin'][0]}: {'::'.join(here)}" if span else "::".join(here))
        for child, one in children:
            if next(iter(child["inner"])) == "function":
                visit(one, here, around)

    visit(api["root"], [], "")
    for one in sorted(set(missing)):
        print(one)
    if missing:
        print(f"{len(set(missing))} public items without an example: add one a user would copy")
    return 1 if missing else 0


sys.exit(main(sys.argv[1]))
