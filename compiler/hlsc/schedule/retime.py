# SPDX-License-Identifier: Apache-2.0
"""Comparisons of counters move across the register: `i == last` becomes a flag kept beside `i`.

In a flattened nest the comparison of every counter with its limit lies on the path that updates the
counters further out, all in one cycle at II = 1.  The flag is updated as the counter is: where that
takes i + 1 the flag takes `i == last - 1`, where it is reset the flag takes `first == last`, and where
it holds the flag holds.  What does not change during the loop (`last - 1`, `first == last`) is computed
once, in a block before it.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import Node, Process, Region

__all__ = ["retime"]

_LEAVES = frozenset({"const", "var", "arg"})
_DEEPEST = 12  # selections in the update of one counter


def retime(process: Process) -> Process:
    """The process with flags for the counters of its pipelined loops; same meaning."""
    regions: list[Region] = []
    variables = dict(process.variables)
    moved: dict[str, str] = {}
    for region in process.regions:
        taken = set(variables) | {a.name for a in process.args} | {r.name for r in process.regions}
        work = _Loop(region, taken)
        regions += [work.before] if work.before else []
        regions.append(work.region)
        variables |= work.variables
        if work.before:
            moved[region.name] = work.before.name
    fronts = set(moved.values())
    regions = [
        r
        if r.name in fronts
        else replace(r, successors=tuple((c, moved.get(t or "", t)) for c, t in r.successors))
        for r in regions
    ]
    return replace(process, regions=tuple(regions), variables=variables)


class _Loop:
    def __init__(self, region: Region, taken: set[str]) -> None:
        self.region, self.taken = region, taken
        self.by_id = region.by_id()
        self.next_id = max(self.by_id, default=-1) + 1
        self.variables: dict[str, int] = {}
        self.outside: list[Node] = []  # of the block before the loop
        self.exports: dict[str, int] = {}
        self.known: dict[tuple[object, ...], int] = {}
        self.head: dict[int, list[Node]] = {}  # new nodes behind a phi
        self.tail: list[Node] = []
        self.before: Region | None = None
        if region.is_loop and region.pipelined:
            self._run()

    # ----------------------------------------------------------------------------- rewriting

    def _run(self) -> None:
        alias: dict[int, int] = {}
        flags: dict[tuple[object, ...], int] = {}
        for n in self.region.nodes:
            if n.op not in {"eq", "ne"}:
                continue
            a, b = (self.by_id[i] for i in n.args)
            phi, last = (a, b) if a.op == "phi" else (b, a)
            if phi.op != "phi" or last.op not in _LEAVES or not self._is_counter(phi):
                continue
            key = (n.op, phi.id, *self._key(last))
            if key not in flags:
                flags[key] = self._flag(n, phi, last)
            alias[n.id] = flags[key]
        if not alias:
            return
        nodes: list[Node] = []
        for n in self.region.nodes:
            if n.id not in alias:
                nodes.append(n)
            nodes += self.head.get(n.id, [])
        region = self.region
        self.region = replace(
            region,
            nodes=tuple(_renamed(n, alias) for n in (*nodes, *self.tail)),
            exit=None if region.exit is None else alias.get(region.exit, region.exit),
            liveouts={v: alias.get(i, i) for v, i in region.liveouts.items()},
            successors=tuple((None if c is None else alias.get(c, c), t) for c, t in region.successors),
        )
        if self.exports:
            self.before = Region(
                self._fresh(f"{region.name}_setup"),
                tuple(self.outside),
                liveouts=self.exports,
                successors=((None, region.name),),
                loc=region.loc,
            )

    def _is_counter(self, phi: Node) -> bool:
        """Its next value is a selection among itself, itself plus a constant, and loop constants."""
        count = 0
        work = [phi.args[1]]
        while work:
            n = self.by_id[work.pop()]
            count += 1
            if count > _DEEPEST:
                return False
            if n.op == "select":
                work += n.args[1:]
            elif n.id != phi.id and n.op not in _LEAVES and self._step(n, phi) is None:
                return False
        return self.by_id[phi.args[1]].op == "select"

    def _step(self, n: Node, phi: Node) -> int | None:
        """k where n = phi + k."""
        if n.op not in {"add", "sub"}:
            return None
        a, b = (self.by_id[i] for i in n.args)
        if n.op == "add" and b.id == phi.id:
            a, b = b, a
        if a.id != phi.id or b.op != "const" or b.value is None:
            return None
        return b.value if n.op == "add" else -b.value

    def _flag(self, compare: Node, phi: Node, last: Node) -> int:
        op = compare.op
        first = self.by_id[phi.args[0]]
        init = self._outside_compare(compare, op, first, last, self.head.setdefault(phi.id, []))
        flag = self._id()
        name = compare.name or f"{phi.name or 'counter'}_last"
        memo: dict[int, int] = {}

        def follow(i: int) -> int:
            if i not in memo:
                n = self.by_id[i]
                if i == phi.id:
                    memo[i] = flag
                elif n.op == "select":
                    memo[i] = self._put(
                        self.tail, compare, "select", 1, n.args[0], follow(n.args[1]), follow(n.args[2])
                    )
                elif n.op in _LEAVES:
                    memo[i] = self._outside_compare(compare, op, n, last, self.tail)
                else:
                    step = self._step(n, phi)
                    assert step is not None
                    limit = self._outside_less(compare, last, step)
                    memo[i] = self._put(self.tail, compare, op, 1, phi.id, limit)
            return memo[i]

        following = follow(phi.args[1])
        node = Node(flag, "phi", 1, (init, following), name=name, loc=compare.loc)
        self.head[phi.id].append(node)
        return flag

    # ------------------------------------------------------------------- before the loop

    def _outside_compare(self, like: Node, op: str, a: Node, b: Node, into: list[Node]) -> int:
        """`a op b` of two loop constants, as a leaf appended to `into`."""
        if a.op == b.op == "const":
            return self._const(into, like, int((a.value == b.value) == (op == "eq")), 1)
        key = (op, *self._key(a), *self._key(b))
        if key not in self.known:
            i = self._put(self.outside, like, op, 1, self._copy(a), self._copy(b))
            self.known[key] = self._export(i, 1, f"{self.region.name}_is_last")
        return self._var(into, like, self.known[key])

    def _outside_less(self, like: Node, last: Node, step: int) -> int:
        """`last - step`, as a leaf."""
        width = last.width
        if last.op == "const":
            return self._const(self.tail, like, ((last.value or 0) - step) % (1 << width), width)
        key = ("less", step, *self._key(last))
        if key not in self.known:
            k = self._const(self.outside, like, step % (1 << width), width)
            i = self._put(self.outside, like, "sub", width, self._copy(last), k)
            self.known[key] = self._export(i, width, f"{self.region.name}_before_last")
        return self._var(self.tail, like, self.known[key])

    def _copy(self, leaf: Node) -> int:
        self.outside.append(replace(leaf, id=self._id()))
        return self.outside[-1].id

    def _export(self, i: int, width: int, name: str) -> int:
        name = self._fresh(name)
        self.exports[name] = i
        self.variables[name] = width
        return len(self.exports) - 1

    def _var(self, into: list[Node], like: Node, index: int) -> int:
        name = list(self.exports)[index]
        into.append(Node(self._id(), "var", self.variables[name], ref=name, loc=like.loc))
        return into[-1].id

    # ------------------------------------------------------------------------------ nodes

    def _fresh(self, name: str) -> str:
        found, k = name, 1
        while found in self.taken:
            k += 1
            found = f"{name}_{k}"
        self.taken.add(found)
        return found

    def _key(self, leaf: Node) -> tuple[object, ...]:
        return (leaf.op, leaf.width, leaf.value, leaf.ref)

    def _id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _put(self, into: list[Node], like: Node, op: str, width: int, *args: int) -> int:
        into.append(Node(self._id(), op, width, args, loc=like.loc))
        return into[-1].id

    def _const(self, into: list[Node], like: Node, value: int, width: int) -> int:
        into.append(Node(self._id(), "const", width, value=value, loc=like.loc))
        return into[-1].id


def _renamed(n: Node, alias: dict[int, int]) -> Node:
    pred = None if n.pred is None else alias.get(n.pred, n.pred)
    return replace(n, args=tuple(alias.get(a, a) for a in n.args), pred=pred)
