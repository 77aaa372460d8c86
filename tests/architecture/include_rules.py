# SPDX-License-Identifier: Apache-2.0
"""Which source may include which header: the direction between folders and rooms."""

import fnmatch
import re

from source_tree import folder_of_include, is_generated, is_in, top_of

# Which top folders the sources of a top folder may include, besides itself. `tests` may include
# everything.
ALLOWED_INCLUDES = {
    "proto": set(),
    "model": {"proto"},
    "trainer": {"proto", "model"},
    "server": {"proto", "model"},
    "client": {"proto"},
}

# A room is a folder of sources. Which rooms of its own top folder a room may include, besides
# itself. Every room is listed, so that a new one has to say where it stands.
ROOMS = {
    "proto/idx": set(),
    "proto/image": set(),
    "proto/text": set(),

    "model/foundation": set(),
    "model/arithmetic": set(),
    "model/network": {"model/foundation", "model/arithmetic"},
    "model/execution": {"model/foundation", "model/arithmetic", "model/network"},
    "model/certificate": {
        "model/foundation", "model/arithmetic", "model/network", "model/execution"},
    "model/certificate/local": {
        "model/foundation", "model/arithmetic", "model/network", "model/execution",
        "model/certificate"},
    "model": {
        "model/foundation", "model/arithmetic", "model/network", "model/execution",
        "model/certificate", "model/certificate/local"},

    "trainer/data": set(),
    "trainer/constraints": set(),
    "trainer/layers": {"trainer/constraints"},
    "trainer/losses": {"trainer/layers"},
    "trainer/network": {"trainer/constraints", "trainer/layers"},
    "trainer/optimizers": {"trainer/constraints", "trainer/layers"},
    "trainer/recipes": {"trainer/data"},
    "trainer/evaluation": {"trainer/data", "trainer/constraints", "trainer/layers"},
    "trainer/report": {"trainer/data", "trainer/evaluation"},
    "trainer/training": {
        "trainer/data", "trainer/constraints", "trainer/layers", "trainer/losses",
        "trainer/network", "trainer/optimizers"},
    "trainer/run": {
        "trainer/data", "trainer/layers", "trainer/recipes", "trainer/evaluation",
        "trainer/report", "trainer/training"},
    "trainer/cli": {
        "trainer/data", "trainer/layers", "trainer/losses", "trainer/network",
        "trainer/optimizers", "trainer/recipes", "trainer/evaluation", "trainer/training",
        "trainer/run"},

    "trainer/exchange/operators": set(),
    "trainer/exchange/graph": {"trainer/exchange/operators"},
    "trainer/exchange/evaluation": {"trainer/exchange/operators", "trainer/exchange/graph"},
    "trainer/exchange/import": {"trainer/exchange/graph", "trainer/exchange/evaluation"},
    "trainer/exchange/export": set(),
    "trainer/exchange": {
        "trainer/exchange/graph", "trainer/exchange/evaluation", "trainer/exchange/import",
        "trainer/exchange/export", "trainer/cli", "trainer/data", "trainer/evaluation",
        "trainer/report", "trainer/run"},

    "server/operations": set(),
    "server/security": {"server/operations"},
    "server/repository": {"server/operations"},
    "server/scheduling": {"server/operations", "server/repository"},
    "server/rpc": {"server/operations", "server/scheduling"},
    "server/calls": {
        "server/operations", "server/security", "server/repository", "server/scheduling",
        "server/rpc"},
    "server/protocols": {
        "server/operations", "server/security", "server/repository", "server/scheduling",
        "server/rpc", "server/calls"},
    "server": {
        "server/operations", "server/security", "server/repository", "server/scheduling",
        "server/rpc", "server/calls", "server/protocols"},

    "client": set(),
    "client/load": {"client"},
    "client/cli": {"client", "client/load"},
    "client/examples": {"client"},
    "client/verify/exact": set(),
    "client/verify/model": {"client/verify/exact"},
    "client/verify/norms": {"client/verify/exact", "client/verify/model"},
    "client/verify": {"client/verify/exact", "client/verify/model", "client/verify/norms"},
}

# The independent checker: all that it may know of other folders, in the room and in those below.
INDEPENDENT = {"client/verify": {"proto/idx", "proto/text"}}

# Rooms that work on values of ours, and the files in them that may know generated messages.
WITHOUT_MESSAGES = {
    "server/scheduling": (),
    "server/rpc": (),
    "server/repository": ("server/repository/serving_config.*",),
}

# Headers of libraries that we may want to replace, and of ours that let them through: each is known
# to the files that match.
CONFINED_HEADERS = {
    re.compile(r"(oneapi/dnnl/)?dnnl.*\.h(pp)?"): (
        "model/execution/onednn*.cc", "model/execution/onednn_engine.h"),
    re.compile(r"model/execution/onednn_engine\.h"): ("model/execution/onednn*.cc",),
    re.compile(r"onnx/.*"): (
        "trainer/exchange/graph/*.cc", "trainer/exchange/export/*.cc", "tests/trainer/exchange/*"),
    re.compile(r"prometheus/.*"): ("server/operations/metrics.cc", "server/operations/connection_metrics.cc"),
    # Messages of grpc.health.v1 are ours; a *.grpc.pb.h is a service and brings gRPC with it.
    re.compile(r"grpcpp/.*|grpc/(?!health/).*|.*\.grpc\.pb\.h"): (
        "server/rpc/*", "server/calls/*", "server/protocols/*", "server/security/*",
        "server/server.cc", "server/operations/grpc_log.cc", "server/operations/request_error.h",
        "client/balanced_channel.*", "client/channel_security.*", "client/classifier_client.*",
        "client/load/load_generator.*", "client/examples/*", "tests/*"),
}


def includes_point_one_way(tree):
    for path, number, included in tree.all_includes():
        top = path.parts[0]
        if included.startswith("."):
            yield f"{path}:{number}: includes {included}; start at the repository root"
        target = folder_of_include(included)
        if target is None or top not in ALLOWED_INCLUDES:
            continue
        if top_of(target) not in {top, *ALLOWED_INCLUDES[top]}:
            may = ", ".join(sorted(ALLOWED_INCLUDES[top])) or "no other folder"
            yield f"{path}:{number}: {top}/ includes {included}; it may include {may}"


def rooms_point_one_way(tree):
    unlisted = set()
    for path in tree.sources():
        room = str(path.parent)
        if path.parts[0] in ALLOWED_INCLUDES and room not in ROOMS and room not in unlisted:
            unlisted.add(room)
            yield f"{room}/: is no known room; say in include_rules.py what it may include"
    for path, number, included in tree.all_includes():
        room, target = str(path.parent), folder_of_include(included)
        if room not in ROOMS or target is None or top_of(target) != top_of(room):
            continue
        # Which messages a room may know is the business of other rules.
        if target not in {room, *ROOMS[room]} and not is_generated(included):
            may = ", ".join(sorted(ROOMS[room])) or "no other room"
            yield f"{path}:{number}: {room}/ includes {included}; it may include {may}"


def independent_rooms_know_nothing_else(tree):
    for path, number, included in tree.all_includes():
        target = folder_of_include(included)
        if target is None:
            continue
        for room, known in INDEPENDENT.items():
            # What the top folder must not know at all is reported once, by includes_point_one_way.
            top = path.parts[0]
            if (is_in(str(path.parent), room) and top_of(target) in ALLOWED_INCLUDES[top]
                    and target not in known):
                yield (f"{path}:{number}: {room}/ includes {included}; of other folders it may "
                       f"include {', '.join(sorted(known))} only")


def messages_stop_at_the_protocols(tree):
    for path, number, included in tree.all_includes():
        allowed = WITHOUT_MESSAGES.get(str(path.parent))
        if allowed is None or not is_generated(included):
            continue
        if not any(fnmatch.fnmatchcase(str(path), pattern) for pattern in allowed):
            yield (f"{path}:{number}: includes {included}; {path.parent}/ must not know messages, "
                   "convert them in server/protocols/")


def confined_headers_stay_confined(tree):
    for path, number, included in tree.all_includes():
        for pattern, owners in CONFINED_HEADERS.items():
            if pattern.fullmatch(included) and not any(
                    fnmatch.fnmatchcase(str(path), owner) for owner in owners):
                yield f"{path}:{number}: includes {included}; only {', '.join(owners)} may"


def _arrows(tree):
    """{folder: {included folder: "path:line" of the first include}}, without a folder's own."""
    arrows = {}
    for path, number, included in tree.all_includes():
        folder, target = str(path.parent), folder_of_include(included)
        if target not in (None, folder):
            arrows.setdefault(folder, {}).setdefault(target, f"{path}:{number}")
    return arrows


def _shortest_circle(arrows, start):
    """The folders of a shortest circle from `start` back to it, both ends named; [] if none."""
    ways = [[start]]
    seen = set()
    for way in ways:
        for target in sorted(arrows.get(way[-1], ())):
            if target == start:
                return way + [start]
            if target not in seen:
                seen.add(target)
                ways.append(way + [target])
    return []


def folders_form_no_circle(tree):
    arrows = _arrows(tree)
    reported = set()
    for start in sorted(arrows):
        circle = _shortest_circle(arrows, start)
        if not circle or not reported.isdisjoint(circle):
            continue
        reported.update(circle)
        places = [arrows[a][b] for a, b in zip(circle, circle[1:])]
        steps = ", ".join(f"{a} -> {b} ({place})"
                          for a, b, place in zip(circle, circle[1:], places))
        yield f"{places[0]}: is part of a circle of folders: {steps}; turn one of them round"


RULES = (
    includes_point_one_way,
    rooms_point_one_way,
    independent_rooms_know_nothing_else,
    messages_stop_at_the_protocols,
    confined_headers_stay_confined,
    folders_form_no_circle,
)
