"""Git's objects over GitHub's API: a branch's tip, its files, and new trees and commits without any clone."""

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ecoaudit.publish.api import convert
from ecoaudit.publish.event import NO_COMMIT
from ecoaudit.publish.failure import ApiFailure, Kind

if TYPE_CHECKING:
    from ecoaudit.publish.api import Api

_REPOSITORY = "query ($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }"
_UPDATE = "mutation ($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }"


class _Object(msgspec.Struct):
    sha: str


class _Ref(msgspec.Struct):
    object: _Object


class _Commit(msgspec.Struct):
    tree: _Object


class _TreeItem(msgspec.Struct):
    path: str
    type: str
    sha: str


class _Tree(msgspec.Struct):
    tree: list[_TreeItem]
    truncated: bool = False


class _Blob(msgspec.Struct):
    content: str


class GitData:
    """The objects of one repository. All methods raise `ApiFailure`.

    Objects are named by their content, so making one twice is the same as once and every request may be repeated.
    """

    def __init__(self, api: "Api") -> None:
        self._api = api
        self._root = f"/repos/{api.repository}/git"

    def branch_tip(self, branch: str) -> str | None:
        """Return the commit that `branch` points to; None where there is no such branch."""
        try:
            return convert(self._get(f"/ref/heads/{branch}"), _Ref).object.sha
        except ApiFailure as failure:
            if failure.kind == Kind.MISSING:
                return None
            raise

    def tree_of(self, commit: str) -> str:
        """Return the id of a commit's tree."""
        return convert(self._get(f"/commits/{commit}"), _Commit).tree.sha

    def files_in(self, tree: str) -> dict[str, str]:
        """Return the blobs of a tree, folders included, by path."""
        found = convert(self._get(f"/trees/{tree}?recursive=1"), _Tree)
        if found.truncated:
            raise ApiFailure(Kind.REFUSED, "the branch holds more files than GitHub lists")
        return {item.path: item.sha for item in found.tree if item.type == "blob"}

    def blob(self, sha: str) -> bytes:
        """Return a blob's bytes."""
        try:
            return base64.b64decode(convert(self._get(f"/blobs/{sha}"), _Blob).content)
        except binascii.Error as error:
            raise ApiFailure(Kind.REFUSED, "the blob is not base64") from error

    def create_tree(self, entries: Sequence[dict[str, str]]) -> str:
        """Create a tree of files, each `path` with the `sha` of a blob or the text `content`; return its id."""
        items = [{"mode": "100644", "type": "blob", **entry} for entry in entries]
        return convert(self._post("/trees", {"tree": items}), _Object).sha

    def create_commit(self, message: str, tree: str) -> str:
        """Create a commit without a parent; return its id."""
        return convert(self._post("/commits", {"message": message, "tree": tree, "parents": []}), _Object).sha

    def move_branch(self, branch: str, before: str | None, after: str) -> None:
        """Point `branch` at `after` if it still points at `before` (None: does not exist yet); a failure otherwise."""
        api = self._api
        owner, name = api.repository.split("/")
        data = api.retrier.read(lambda: api.graphql(_REPOSITORY, {"owner": owner, "name": name}))
        update = {
            "name": f"refs/heads/{branch}",
            "beforeOid": before or NO_COMMIT,
            "afterOid": after,
            "force": True,
        }
        request = {"input": {"repositoryId": data["repository"]["id"], "refUpdates": [update]}}

        def send() -> bool:
            api.graphql(_UPDATE, request)
            return True

        api.retrier.write(send, lambda: True if self.branch_tip(branch) == after else None)

    def _get(self, path: str) -> object:
        return self._api.retrier.read(lambda: self._api.send("GET", f"{self._root}{path}", None))

    def _post(self, path: str, body: dict[str, object]) -> object:
        return self._api.retrier.read(lambda: self._api.send("POST", f"{self._root}{path}", body))
