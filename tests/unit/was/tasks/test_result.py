"""Results: what they say of an answer, and what they raise."""

from __future__ import annotations

import pytest

from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was.errors import HTTPError
from skitaid.was.messages.errors import ReplyError, RpcFault
from skitaid.was.messages.fields import Headers
from skitaid.was.messages.reply import Decoded
from skitaid.was.tasks.result import STA_NETERR, STA_NORMAL, STA_REQFAIL, STA_TIMEOUT, Result, Results


def opened(body: bytes, content_type: str = "text/plain", **more: object) -> Result:
    headers = Headers([(b"content-type", content_type.encode()), (b"x-a", b"1")])
    settings = {"data": body.decode("latin-1"), **more}
    return Result(200, "OK", opener=lambda: Decoded(200, "OK", headers, body, **settings))  # type: ignore[arg-type]


def test_an_answer() -> None:
    result = opened("é".encode("latin-1"), "text/plain; charset=latin-1")
    assert (result.status, result.status_code, result.code, result.reason) == (STA_NORMAL, 200, 200, "OK")
    assert (result.content, result.text) == (b"\xe9", "é")
    assert result.get_header("X-A") == "1"
    assert result.get_header("X-B") is None
    assert result.get_header("X-B", "none") == "none"
    assert result.fetch() == result.data == "é"


def test_a_charset_nobody_knows_is_read_as_utf_8() -> None:
    assert opened("é".encode(), "text/plain; charset=klingon").text == "é"


def test_it_is_opened_once_and_only_when_asked() -> None:
    times: list[int] = []

    def opener() -> Decoded:
        times.append(1)
        return Decoded(200, "OK", Headers(), b"", None)

    result = Result(200, "OK", opener=opener)
    assert (result.status_code, times) == (200, [])
    assert (result.data, result.content, result.text) == (None, b"", "")
    assert times == [1]


def test_what_cannot_be_decoded_is_a_failure_with_its_bytes() -> None:
    error = ReplyError("no JSON")
    result = Result(200, "OK", opener=lambda: Decoded(502, "Bad Gateway", Headers(), b"{", None, error))
    result.settle()
    assert (result.status, result.status_code, result.data, result.content) == (STA_REQFAIL, 502, None, b"{")
    with pytest.raises(HTTPError, match="no JSON") as raised:
        result.fetch()
    assert (raised.value.status, raised.value.result, raised.value.__cause__) == ("502 Bad Gateway", result, error)


def test_the_fault_of_a_remote_procedure() -> None:
    fault = RpcFault(4, "too many parameters")
    result = Result(200, "OK", opener=lambda: Decoded(500, "", Headers(), b"", None, fault))
    with pytest.raises(HTTPError, match="too many parameters") as raised:
        result.reraise()
    assert raised.value.status_code == 500


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Failure.NO_MEMBER, STA_NETERR, 503),
        (Failure.SATURATED, STA_NETERR, 503),
        (Failure.UNREACHABLE, STA_NETERR, 502),
        (Failure.UNTRUSTED, STA_NETERR, 502),
        (Failure.RESET, STA_NETERR, 502),
        (Failure.TOO_LARGE, STA_NETERR, 502),
        (Failure.CONNECT_TIMEOUT, STA_TIMEOUT, 504),
        (Failure.READ_TIMEOUT, STA_TIMEOUT, 504),
        (Failure.TOTAL_TIMEOUT, STA_TIMEOUT, 504),
        (Failure.CANCELLED, STA_NETERR, 500),
    ],
)
def test_what_the_network_does(failure: Failure, status: int, code: int) -> None:
    result = Result.of_error(UpstreamError(failure, member="10.0.0.1:80"))
    assert (result.status, result.status_code, result.data) == (status, code, None)
    with pytest.raises(HTTPError) as raised:
        result.fetch()
    assert raised.value.status_code == code


def test_an_exception_of_a_function_is_raised_as_it_is() -> None:
    result = Result.of_error(KeyError("x"))
    assert (result.status, result.status_code) == (STA_REQFAIL, 500)
    with pytest.raises(KeyError):
        result.fetch()
    with pytest.raises(HTTPError) as raised:
        result.fetch("507 Insufficient Storage")
    assert raised.value.status_code == 507


def test_an_http_error_of_a_function_keeps_its_status() -> None:
    result = Result.of_error(HTTPError("404 Not Found"))
    assert result.status_code == 404
    with pytest.raises(HTTPError, match="404 Not Found"):
        result.fetch()


@pytest.mark.parametrize(
    ("code", "answered"),
    [(404, 404), (409, 409), (410, 410), (422, 422), (429, 429), (301, 502), (401, 502), (407, 502), (500, 502),
     (501, 502), (503, 503), (504, 504)],
)  # fmt: skip
def test_what_a_client_is_answered_for_what_another_server_said(code: int, answered: int) -> None:
    result = Result(code, "So It Is")
    with pytest.raises(HTTPError) as raised:
        result.reraise()
    assert raised.value.status_code == answered
    assert f"answered {code}" in str(raised.value)
    assert raised.value.explain == ""


def test_a_reason_that_no_status_line_can_have_is_left_out() -> None:
    with pytest.raises(HTTPError) as raised:
        Result(404, "h\xe9\r\nX: 1").reraise()
    assert raised.value.status == "404 Not Found"


@pytest.mark.parametrize("data", [[], (), None, [1, 2]])
def test_one_of_none_or_several(data: object) -> None:
    with pytest.raises(HTTPError, match="expected one result") as raised:
        Result.of_data(data).one()
    assert raised.value.status_code == 410


@pytest.mark.parametrize(("data", "expected"), [([5], 5), ((5,), 5), ({"id": 5}, {"id": 5}), (5, 5), ("ab", "ab")])
def test_one(data: object, expected: object) -> None:
    assert Result.of_data(data).one() == expected


def test_commit_and_reraise_of_a_good_one_do_nothing() -> None:
    result = Result.of_data(1)
    result.commit()
    result.reraise()


def test_a_copy_shares_no_data() -> None:
    plain = Result.of_data({"a": [1]})
    plain.copy().data["a"].append(2)
    assert plain.data == {"a": [1]}
    twin = (first := opened(b"x")).copy()
    assert (twin.data, twin.status_code) == ("x", 200)
    assert twin is not first


def test_the_copy_of_a_failed_one_is_failed() -> None:
    assert Result.of_error(UpstreamError(Failure.RESET)).copy().status == STA_NETERR


class Kept:
    def __init__(self) -> None:
        self.kept: list[float] = []

    def keep(self, result: Result, seconds: float) -> None:
        self.kept.append(seconds)


@pytest.mark.parametrize(
    ("result", "codes", "is_kept"),
    [
        (Result(200), (200,), True),
        (Result(404), (200,), False),
        (Result(404), (200, 404), True),
        (Result.of_error(UpstreamError(Failure.RESET)), (502,), False),
    ],
)
def test_cache(result: Result, codes: tuple[int, ...], is_kept: bool) -> None:
    result.memo = memo = Kept()
    result.cache(60, codes)
    assert memo.kept == ([60] if is_kept else [])


def test_cache_of_zero_seconds_keeps_nothing() -> None:
    result = Result()
    result.memo = memo = Kept()
    result.cache(0)
    assert memo.kept == []


def test_results_are_lists_of_what_one_result_has() -> None:
    results = Results([Result.of_data([1]), Result.of_data([2])])
    assert (results.status, results.code, results.status_code) == ([3, 3], [200, 200], [200, 200])
    assert (results.reason, results.data) == (["OK", "OK"], [[1], [2]])
    assert (results.fetch(), results.one()) == ([[1], [2]], [1, 2])
    assert isinstance(results[:1], Results)
    assert results[1].data == [2]
    assert results.is_good
    results.commit()


def test_results_raise_the_first_error() -> None:
    results = Results([Result.of_data(1), Result(404, "Not Found"), Result.of_error(KeyError())])
    assert not results.is_good
    with pytest.raises(HTTPError, match="404"):
        results.fetch()


def test_results_are_kept_together_or_not_at_all() -> None:
    memo = Kept()
    good, bad = Result(200), Result(500)
    good.memo = bad.memo = memo
    Results([good, bad]).cache(60)
    assert memo.kept == []
    Results([good, good]).cache(60)
    assert memo.kept == [60, 60]
