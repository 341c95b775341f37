"""Numbers joined into groups, pair by pair."""

from __future__ import annotations

from collections import defaultdict


class Groups:
    """Disjoint sets of the numbers below ``count`` (union-find with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, number: int) -> int:
        """Return the number that stands for the group of this one."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    def are_joined(self, left: int, right: int) -> bool:
        """Whether two numbers are in one group."""
        return self.root(left) == self.root(right)

    def join(self, left: int, right: int) -> None:
        """Make the groups of two numbers one."""
        roots = self.root(left), self.root(right)
        self._parent[max(roots)] = min(roots)

    def members(self) -> list[list[int]]:
        """Return the numbers of each group, ascending, the group of the least number first."""
        members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            members[self.root(number)].append(number)
        return list(members.values())
