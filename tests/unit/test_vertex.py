"""Vertex: where its requests go and by whose right, for Gemini models."""

import json
from typing import Any

import pytest
from tests.fakes import a_credential

from ccrouter.credentials.kinds import AuthError, Credential, check_auth
from ccrouter.dialects.gemini.manner import Manner
from ccrouter.dialects.gemini.request import Asked, encode
from ccrouter.errors import InvalidRequest
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Exchange, Found
from ccrouter.platforms.vertex import Vertex

TOKEN = {"access_token": "ya29.test", "service_account": {"project_id": "own-project"}}
BODY = {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}


def opened(
    model: str = "gemini-3.8-flash", auth: dict[str, Any] = TOKEN, operation: str = MESSAGES, **options: Any
) -> Exchange:
    """A try on Vertex."""
    credential = Credential(id="c", platform="vertex", name="c", auth=auth, options=options)
    ask = Ask(operation, MessagesRequest(json.dumps(BODY).encode()), (), "")
    found = Vertex().open(ask, Aim(model), credential, Found())
    assert not isinstance(found, CannedAnswer)
    return found


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_the_region_chooses_the_host(region: str, host: str) -> None:
    """And stands in the path, below the key's own project."""
    sent = opened(region=region).request()
    path = f"/v1/projects/own-project/locations/{region}/publishers/google/models/gemini-3.8-flash:generateContent"
    assert sent.url == f"https://{host}{path}"
    assert dict(sent.headers)["authorization"] == "Bearer ya29.test"


def test_the_project_of_the_options_goes_before_the_keys() -> None:
    """An operator may bill another project."""
    assert "/projects/other/" in opened(project="other").request().url


def test_without_a_project_nothing_is_sent() -> None:
    """The refusal says what to set."""
    with pytest.raises(InvalidRequest, match=r"options\.project"):
        opened(auth={"access_token": "t"})


def test_an_express_key_needs_neither_project_nor_region() -> None:
    """It stands in a header."""
    sent = opened(auth={"api_key": "AQ.test"}, region="us").request()
    assert sent.url == (
        "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-3.8-flash:generateContent"
    )
    assert dict(sent.headers)["x-goog-api-key"] == "AQ.test"


def test_an_express_key_and_a_service_account_exclude_each_other() -> None:
    """One of them would be ignored in silence."""
    with pytest.raises(AuthError, match="not both"):
        check_auth("vertex", {"api_key": "k", "service_account": {"type": "service_account"}})


def test_counting_takes_the_members_as_they_are() -> None:
    """Vertex has no wrapper for them."""
    sent = opened(operation=COUNT_TOKENS).request()
    assert sent.url.endswith("/models/gemini-3.8-flash:countTokens")
    assert list(json.loads(sent.body)) == ["contents"]


def test_an_expired_token_is_renewed_and_a_key_is_not() -> None:
    """Only what was signed in for can be got anew."""
    body = b'{"error":{"code":401,"message":"expired","status":"UNAUTHENTICATED"}}'
    assert opened().read_refusal(401, (), body).consequence.renews == "token"
    assert opened(auth={"api_key": "AQ.test"}).read_refusal(401, (), body).consequence.renews == ""


def test_the_place_of_the_answer_is_its_region() -> None:
    """Prices differ by it."""
    assert opened(region="us").stream().facts.place == "us"


def test_an_object_of_cloud_storage_is_named_not_fetched() -> None:
    """Vertex reads it by itself; `needs` does not ask for it."""
    image = {"type": "image", "source": {"type": "url", "url": "gs://bucket/cat.jpg"}}
    document = BODY | {"messages": [{"role": "user", "content": [image, {"type": "text", "text": "?"}]}]}
    ask = Ask(MESSAGES, MessagesRequest(json.dumps(document).encode()), (), "")
    assert Vertex().needs(ask, Aim("gemini-3.8-flash"), a_credential()).urls == ()
    manner = Manner("vertex", reads_gcs=True)
    parts = encode(Asked(document, "gemini-3.8-flash", None, manner)).body["contents"][0]["parts"]
    assert parts[0] == {"fileData": {"fileUri": "gs://bucket/cat.jpg", "mimeType": "image/jpeg"}}
