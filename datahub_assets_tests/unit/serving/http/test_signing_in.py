"""Who asks by HTTP: tokens, passwords and the sign-ins that browsers keep."""

import httpx

from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.http.listening import PASSWORD


def _form_sign_in(door: HttpDoor, user: str, password: str = PASSWORD, target: str = "/") -> httpx.Response:
    form = {"user": user, "password": password, "next": target}
    return httpx.post(f"{door.http.url}/sign-in", data=form, follow_redirects=False)


def test_form_signs_a_browser_in_by_a_cookie_that_scripts_cannot_read(http_door: HttpDoor) -> None:
    """HttpOnly and SameSite, and back to the page that was asked for."""
    response = _form_sign_in(http_door, "ann", target="/datasets/px/prices?known_at=%232")
    assert response.status_code == 303
    assert response.headers["location"] == "/datasets/px/prices?known_at=%232"
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_form_with_a_wrong_password_leads_back_to_the_form_without_a_cookie(http_door: HttpDoor) -> None:
    """And never to another server, whatever ``next`` says."""
    response = _form_sign_in(http_door, "ann", "wrong", "https://evil.example/")
    assert response.headers["location"] == "/sign-in?failed=1&next=%2F"
    assert "set-cookie" not in response.headers
    assert _form_sign_in(http_door, "ann", target="//evil.example").headers["location"] == "/"
