"""Who gets in: whom the teacher's file lists, and nobody else, however they log in."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from firstuseauthenticator import FirstUseAuthenticator

from arena_lab import accounts
from arena_lab.errors import LabError

_LIST = Path("/srv/class/learners.txt")
# What bcrypt can hash.
_LONGEST_PASSWORD = 72


class Listed:
    """Asks the file anew each time, so that a change of it holds at once."""

    log: Any

    def _account(self, name: str) -> accounts.Account | None:
        try:
            return accounts.read(_LIST).get(name)
        except LabError as error:
            self.log.error("nobody can log in: %s", error)
            return None

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
        return await super().authenticate(handler, data)


def authenticator(name: str) -> type:
    """Give the class of a login: "" for passwords, else a provider's name of oauthenticator's."""
    if not name:
        return FirstLogin
    (found,) = entry_points(group="jupyterhub.authenticators", name=name)
    return type("ListedLogin", (Listed, found.load()), {})
