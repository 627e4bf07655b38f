"""The branch of the charts on the server: read, and moved only from the state that was read.

It is written through the Git database API: tree, commit without a parent, then the ref. A clone would need git in the
image (it has none), the token on disk and a work tree; here neither the user's checkout nor its credentials are used.
A ref can be moved by force over REST only whatever it points to, so GraphQL's `updateRefs` moves it: its `beforeOid` is
what `git push --force-with-lease` checks. Who loses the race reads again and adds its own to what won.
"""

from typing import TYPE_CHECKING

from ecoaudit.publish import charts
from ecoaudit.publish.effects import StoreCharts
from ecoaudit.publish.failure import ApiFailure, Kind
from ecoaudit.publish.git_data import GitData

if TYPE_CHECKING:
    from ecoaudit.publish.api import Api

ROUNDS = 5
MESSAGE = "Charts and badges of ecoaudit\n\nThis branch is one commit, made anew by each run."


def read(api: "Api", branch: str) -> charts.Index | None:
    """Return the branch's index; None where there is no such branch or it is not ours. Raises `ApiFailure`."""
    data = api.file(charts.INDEX, branch)
    return charts.read_index(data) if data is not None else None


def store(api: "Api", effect: StoreCharts) -> str:
    """Put `effect` on its branch; return why it was not, empty when it was. Raises `ApiFailure`."""
    git = GitData(api)
    for _ in range(ROUNDS):
        tip = git.branch_tip(effect.branch)
        tree, present, index = "", {}, charts.EMPTY
        if tip is not None:
            tree = git.tree_of(tip)
            present = git.files_in(tree)
            blob = present.get(charts.INDEX)
            found = charts.read_index(git.blob(blob)) if blob else None
            if found is None:
                return (
                    f"The branch {effect.branch} holds other things, so the charts were not stored; "
                    "name a branch that does not exist yet in the input `charts-branch`."
                )
            index = found
        content = charts.add(index, frozenset(present), effect)
        entries = [{"path": path, "sha": present[path]} for path in sorted(content.kept)]
        entries += [{"path": path, "content": text} for path, text in sorted(content.new.items())]
        wanted = git.create_tree(entries)
        if wanted == tree:
            return ""
        commit = git.create_commit(MESSAGE, wanted)
        try:
            git.move_branch(effect.branch, tip, commit)
        except ApiFailure as failure:
            if failure.kind != Kind.REFUSED or git.branch_tip(effect.branch) == tip:
                raise
            continue  # another job moved the branch meanwhile
        return ""
    return f"Other jobs kept changing the branch {effect.branch}; this run's charts are not on it."
