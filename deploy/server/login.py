"""Who gets in: whom the teacher's file lists, and nobody else, however they log in."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

from firstuseauthenticator import FirstUseAuthenticator

from arena_lab import accounts
from arena_lab.errors import LabError

_LIST = Path("/srv/class/learners.txt")
# What bcrypt can hash.
_LONGEST_PASSWORD = 72

# The file of passwords is not for two at once.
_one_at_a_time = ThreadPoolExecutor(1)


class Listed:
    """Asks the file anew each time, so that a change of it holds at once."""

    log: Any
    _known: ClassVar[dict[str, accounts.Account]] = {}

    def _account(self, name: str) -> accounts.Account | None:
        try:
            Listed._known = accounts.read(_LIST)
        except LabError as error:
            # A slip of the teacher's must not send the class away.
            self.log.error("the list counts as it was before: %s", error)
        return self._known.get(name)

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Tell whether the file lists somebody."""
        return self._account(username) is not None

    def is_admin(self, handler: Any, authentication: dict[str, Any]) -> bool:
        """Tell whether somebody stands there as a teacher."""
        account = self._account(authentication["name"])
        return account is not None and account.is_teacher

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """Log out whom the file no longer lists."""
        account = self._account(user.name)
        if account is None:
            return False
        known = await super().refresh_user(user, handler)  # type: ignore[misc]
        if known is not True or account.is_teacher == user.admin:
            return known
        return {"name": user.name, "admin": account.is_teacher}


class FirstLogin(Listed, FirstUseAuthenticator):
    """The password of the first login is the password from then on."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """Give the name of whom a name and a password are."""
        # The class below would keep a password for any name at all.
        if self._account(self.normalize_username(data["username"])) is None:
            return None
        if len(data["password"].encode()) > _LONGEST_PASSWORD:
            handler.custom_login_error = f"At most {_LONGEST_PASSWORD} bytes, please."
            return None
        # A hash takes a quarter of a second on purpose: the hub goes on meanwhile.
        checking = super().authenticate(handler, data)
        return await asyncio.wrap_future(_one_at_a_time.submit(asyncio.run, checking))


def authenticator(name: str) -> type:
    """Give the class of a login: "" for passwords, else a provider's name of oauthenticator's."""
    if not name:
        return FirstLogin
    (found,) = entry_points(group="jupyterhub.authenticators", name=name)
    return type("ListedLogin", (Listed, found.load()), {})
