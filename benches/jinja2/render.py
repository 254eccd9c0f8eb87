"""Renders what benches/render.rs exported, with Jinja2 and from the very same template files.

Usage: render.py DIRECTORY

Reads tenants.json there and leaves each file as <name>.jinja2. Only rendering is timed: reading the data and shaping
what templates are given is not, while Switchyard's time has its part of that in it.
"""

import json
import sys
import time
from pathlib import Path

import jinja2

ROUNDS = 5
TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "asterisk"


def conf(value):
    """What Switchyard does to every value: a `;` gets a backslash, a line break or NUL fails the render."""
    if isinstance(value, str):
        if "\n" in value or "\r" in value or "\0" in value:
            raise ValueError("a line break or NUL in a value")
        return value.replace(";", "\\;")
    return value


def quoted(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')


def environment():
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        finalize=conf,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["quoted"] = quoted
    return made


def tenant_of(tenant):
    return {name: tenant[name] for name in ("name", "domain", "timezone")}


def active(tenant):
    return [e for e in tenant["extensions"] if e["settings"]["status"] == "active"]


def pjsip(tenant):
    extensions = []
    for extension in active(tenant):
        settings = extension["settings"]
        extensions.append(
            {
                "number": extension["number"],
                "caller_name": settings["caller_id"]["name"] or settings["name"],
                "caller_number": settings["caller_id"]["number"] or extension["number"],
                "mailbox": settings["voicemail"]["enabled"],
                "codecs": ",".join(settings["codecs"]),
                "transport": settings["transport"],
                "record_outbound": settings["recording"] in ("outbound", "always"),
                "max_contacts": settings["max_contacts"],
                "ha1": extension["ha1"],
            }
        )
    return {"tenant": tenant_of(tenant), "extensions": extensions}


def dialplan(tenant):
    extensions = []
    for extension in active(tenant):
        settings = extension["settings"]
        forward = settings["forward"]
        extensions.append(
            {
                "number": extension["number"],
                "ring_time": settings["ring_time"],
                "forward_always": forward["always"] or "",
                "forward_busy": forward["busy"] or "",
                "forward_no_answer": forward["no_answer"] or "",
                "mailbox": int(settings["voicemail"]["enabled"]),
                "record_inbound": int(settings["recording"] in ("inbound", "always")),
            }
        )
    lengths = sorted({len(extension["number"]) for extension in extensions})
    return {
        "tenant": tenant_of(tenant),
        "number_patterns": ["X" * length for length in lengths],
        "extensions": extensions,
    }


def voicemail(tenant):
    mailboxes = [
        {
            "number": extension["number"],
            "name": extension["settings"]["name"],
            "email": extension["settings"]["voicemail"]["email"] or "",
            "pin": extension["pin"],
        }
        for extension in active(tenant)
        if extension["settings"]["voicemail"]["enabled"]
    ]
    return {"tenant": tenant_of(tenant), "mailboxes": mailboxes}


SHAPES = {"pjsip.conf": pjsip, "extensions.conf": dialplan, "voicemail.conf": voicemail}


def main():
    directory = Path(sys.argv[1])
    tenants = json.loads((directory / "tenants.json").read_text(encoding="utf-8"))
    jinja = environment()
    templates = {name: jinja.get_template(name) for name in SHAPES}
    contexts = {name: [shape(tenant) for tenant in tenants] for name, shape in SHAPES.items()}

    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        rendered = {
            name: [template.render(context) for context in contexts[name]]
            for name, template in templates.items()
        }
        times.append(time.perf_counter() - start)
    times.sort()

    size = 0
    for name, texts in rendered.items():
        whole = "".join(texts).encode()
        size += len(whole)
        (directory / f"{name}.jinja2").write_bytes(whole)
    endpoints = sum(len(context["extensions"]) for context in contexts["pjsip.conf"])
    rounds = ", ".join(f"{seconds:.3f}s" for seconds in times)
    print(f"jinja2 {jinja2.__version__}: {endpoints} endpoints, {size} bytes")
    print(f"jinja2: rounds [{rounds}]")
    print(f"jinja2: seconds {times[len(times) // 2]:.4f}")


main()
