"""One response for many: who waits, who is slow, who leaves."""

from __future__ import annotations

import pytest

from skitaid.upstream.errors import Failure
from tests.unit.upstream.cache.origin import Heard, Scene

KEPT = "Cache-Control: max-age=60"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def pause(heard: Heard) -> None:
    assert heard.exchange is not None
    heard.exchange.pause()


def resume(heard: Heard) -> None:
    assert heard.exchange is not None
    heard.exchange.resume()


def cancel(heard: Heard) -> None:
    assert heard.exchange is not None
    heard.exchange.cancel()


# ---------------------------------------------------------------- waiting together


def test_the_same_request_is_made_once(scene: Scene) -> None:
    several = [scene.ask("/a") for _ in range(5)]
    assert len(scene.calls) == 1
    scene.last.answer(200, KEPT, body=b"one")
    assert [each.body for each in several] == [b"one"] * 5
    assert all(each.is_ended for each in several)
    assert several[0].get("cache-status") == "skitaid; fwd=uri-miss; stored"
    assert several[1].get("cache-status") == "skitaid; fwd=uri-miss; collapsed"


def test_who_comes_while_it_is_told_hears_all_of_it(scene: Scene) -> None:
    first = scene.ask("/a")
    scene.last.begin(200, KEPT, length=6)
    scene.last.data(b"one")
    second = scene.ask("/a")
    assert (second.status, second.body) == (200, b"one")
    scene.last.data(b"two")
    third = scene.ask("/a")
    scene.last.finish()
    assert [each.body for each in (first, second, third)] == [b"onetwo"] * 3
    assert len(scene.calls) == 1


def test_what_is_not_for_those_who_wait_is_fetched_for_each(scene: Scene) -> None:
    first, second, third = (scene.ask("/a", f"Cookie: id={n}") for n in range(3))
    assert len(scene.calls) == 1
    scene.calls[0].answer(200, "Cache-Control: private", body=b"0")
    assert first.body == b"0"
    assert (second.head, third.head) == (None, None)
    assert [call.fields["cookie"] for call in scene.calls] == ["id=0", "id=1", "id=2"]
    scene.calls[2].answer(200, "Cache-Control: private", body=b"2")
    scene.calls[1].answer(200, "Cache-Control: private", body=b"1")
    assert (second.body, third.body) == (b"1", b"2")


def test_nobody_waits_for_what_was_not_for_all_before(scene: Scene) -> None:
    scene.fetch("/a", "Cache-Control: private", asks=("Cookie: id=0",))
    scene.ask("/a", "Cookie: id=1")
    scene.ask("/a", "Cookie: id=2")
    assert len(scene.calls) == 3
    # the page of nobody is another matter
    scene.ask("/a")
    scene.ask("/a")
    assert len(scene.calls) == 4
    scene.now += 11
    scene.ask("/a", "Cookie: id=3")
    scene.ask("/a", "Cookie: id=4")
    assert len(scene.calls) == 4


def test_another_variant_is_fetched_apart(scene: Scene) -> None:
    packed = scene.ask("/a", "Accept-Encoding: gzip")
    plain = scene.ask("/a")
    same = scene.ask("/a", "Accept-Encoding: gzip;q=0.5")
    scene.calls[0].answer(200, KEPT, "Vary: Accept-Encoding", body=b"packed")
    assert (packed.body, same.body, plain.head) == (b"packed", b"packed", None)
    assert len(scene.calls) == 2
    scene.calls[1].answer(200, KEPT, "Vary: Accept-Encoding", body=b"plain")
    assert plain.body == b"plain"


def test_a_cookie_waits_for_what_is_public(scene: Scene) -> None:
    first, second = scene.ask("/a"), scene.ask("/a", "Cookie: id=1")
    scene.last.answer(200, "Cache-Control: public, max-age=60", body=b"all")
    assert (first.body, second.body) == (b"all", b"all")


@pytest.mark.parametrize("is_late", [False, True])
def test_what_is_for_the_first_alone_is_not_told_to_the_others(scene: Scene, is_late: bool) -> None:
    first = scene.ask("/a")
    second = None if is_late else scene.ask("/a")
    control = 'Cache-Control: public, max-age=60, private="x-user"'
    scene.last.begin(200, control, "Set-Cookie: id=1", "X-User: one", "X-A: 1", "Age: 5", length=3)
    second = scene.ask("/a") if second is None else second
    scene.last.data(b"one")
    scene.last.finish()
    assert (first.get("set-cookie"), first.get("x-user")) == ("id=1", "one")
    assert (second.get("set-cookie"), second.get("x-user"), second.get("x-a")) == (None, None, "1")
    assert (second.get("age"), second.get("content-length"), second.body) == ("5", "3", b"one")


def test_a_cookie_does_not_get_what_nobody_in_particular_gets(scene: Scene) -> None:
    first, second = scene.ask("/a"), scene.ask("/a", "Cookie: id=1")
    scene.calls[0].answer(200, KEPT, body=b"nobody")
    assert (first.body, second.head) == (b"nobody", None)
    scene.calls[1].answer(200, KEPT, body=b"one")
    assert second.body == b"one"


def test_who_wants_it_new_does_not_wait_for_one_under_way(scene: Scene) -> None:
    scene.ask("/a")
    scene.ask("/a", "Cache-Control: no-cache")
    scene.ask("/a", "Cache-Control: max-age=0")
    assert len(scene.calls) == 3


def test_conditions_of_those_who_wait(scene: Scene) -> None:
    first, second, third = scene.ask("/a"), scene.ask("/a", 'If-None-Match: "1"'), scene.ask("/a", 'If-None-Match: "2"')
    assert len(scene.calls) == 1
    scene.last.answer(200, KEPT, 'ETag: "1"', body=b"one")
    assert [each.status for each in (first, second, third)] == [200, 304, 200]
    assert (second.body, second.is_ended, third.body) == (b"", True, b"one")


def test_nobody_waits_for_the_answer_to_a_condition(scene: Scene) -> None:
    scene.ask("/a", 'If-None-Match: "1"')
    scene.ask("/a")
    assert len(scene.calls) == 2


def test_all_wait_for_one_validation(scene: Scene) -> None:
    scene.fetch("/a", KEPT, 'ETag: "1"', body=b"one")
    scene.now += 61
    several = [scene.ask("/a") for _ in range(3)]
    assert len(scene.calls) == 2
    scene.last.answer(304)
    assert [each.body for each in several] == [b"one"] * 3


def test_a_failure_is_everybodys(scene: Scene) -> None:
    several = [scene.ask("/a") for _ in range(3)]
    scene.last.fail(Failure.UNREACHABLE)
    assert all(each.failure is not None for each in several)
    assert len(scene.calls) == 1
    assert not scene.cache.fills


def test_a_response_that_breaks_off_breaks_off_for_all(scene: Scene) -> None:
    several = [scene.ask("/a") for _ in range(3)]
    scene.last.begin(200, KEPT, length=9)
    scene.last.data(b"half")
    scene.last.fail(Failure.TRUNCATED)
    for each in several:
        assert (each.body, each.is_ended) == (b"half", False)
        assert each.failure is not None


def test_what_came_to_its_end_before_a_latecomer_could_be_told(scene: Scene) -> None:
    for number, is_fine in enumerate((True, False)):
        target = f"/{number}"
        scene.ask(target)
        fetching = scene.last
        fetching.begin(200, KEPT, length=3)
        late = Heard()
        scene.turn, turn = lambda: None, scene.turn  # type: ignore[method-assign]
        scene.ask(target, heard=late)
        scene.turn = turn  # type: ignore[method-assign]
        if is_fine:
            fetching.data(b"one")
            fetching.finish()
        else:
            fetching.fail()
        turn()
        if not is_fine:
            assert late.head is None
            scene.last.answer(200, KEPT, body=b"one")
        assert late.body == b"one"


# ---------------------------------------------------------------- leaving


def test_who_leaves_first_leaves_the_others_their_response(scene: Scene) -> None:
    first, second = scene.ask("/a"), scene.ask("/a")
    cancel(first)
    assert not scene.last.is_cancelled
    scene.last.answer(200, KEPT, body=b"one")
    assert (first.head, second.body) == (None, b"one")


def test_who_leaves_alone_ends_the_call(scene: Scene) -> None:
    cancel(scene.ask("/a"))
    assert scene.last.is_cancelled
    assert not scene.cache.fills


def test_what_will_be_kept_is_fetched_to_its_end(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, KEPT, length=6)
    scene.last.data(b"one")
    cancel(heard)
    assert not scene.last.is_cancelled
    scene.last.data(b"two")
    scene.last.finish()
    assert heard.body == b"one"
    assert scene.ask("/a").body == b"onetwo"
    assert len(scene.calls) == 1


def test_what_will_not_be_kept_is_not(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, "Cache-Control: no-store", length=6)
    cancel(heard)
    assert scene.last.is_cancelled


def test_what_turns_out_too_large_for_nobody_ends(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, KEPT, length=None)
    cancel(heard)
    scene.last.data(bytes(200_000))
    assert scene.last.is_cancelled
    assert scene.cache.filling_bytes == 0


def test_a_private_response_whose_asker_left_is_nobodys(scene: Scene) -> None:
    first, second = scene.ask("/a"), scene.ask("/a")
    cancel(first)
    scene.calls[0].begin(200, "Cache-Control: private", length=3)
    assert scene.calls[0].is_cancelled
    assert second.head is None
    scene.calls[1].answer(200, "Cache-Control: private", body=b"two")
    assert second.body == b"two"


def test_leaving_in_the_midst_of_what_is_told(scene: Scene) -> None:
    for hook in ("on_head", "on_piece"):
        heard, other = Heard(), Heard()
        setattr(heard, hook, lambda heard=heard: cancel(heard))
        scene.ask(f"/{hook}", heard=heard)
        scene.ask(f"/{hook}", heard=other)
        scene.last.answer(200, KEPT, body=b"one")
        assert not heard.is_ended
        assert other.body == b"one"
        stored = Heard()
        setattr(stored, hook, lambda stored=stored: cancel(stored))
        scene.ask(f"/{hook}", heard=stored)
        assert stored.head is not None
        assert not stored.is_ended


def test_leaving_before_a_hit_is_told(scene: Scene) -> None:
    scene.fetch("/a", KEPT)
    heard = Heard()
    scene.turn, turn = lambda: None, scene.turn  # type: ignore[method-assign]
    scene.ask("/a", heard=heard)
    assert heard.head is None
    cancel(heard)
    turn()
    assert heard.head is None


# ---------------------------------------------------------------- paces


def test_a_slow_client_holds_up_nobody_while_it_is_kept(scene: Scene) -> None:
    slow, quick = scene.ask("/a"), scene.ask("/a")
    pause(slow)
    scene.last.begin(200, KEPT, length=9)
    for piece in (b"one", b"two", b"six"):
        scene.last.data(piece)
    scene.last.finish()
    assert (quick.body, quick.is_ended) == (b"onetwosix", True)
    assert (slow.status, slow.body) == (200, b"")
    assert not scene.last.is_paused
    slow.on_piece = lambda: pause(slow)
    for count in range(1, 4):
        resume(slow)
        assert len(slow.pieces) == count
    assert not slow.is_ended
    resume(slow)
    assert slow.is_ended
    assert scene.cache.filling_bytes == 0


def test_what_is_being_fetched_is_counted_until_the_slowest_heard_it(scene: Scene) -> None:
    slow = scene.ask("/a")
    pause(slow)
    scene.last.answer(200, KEPT, body=bytes(1000))
    assert scene.cache.filling_bytes == 1000
    cancel(slow)
    assert scene.cache.filling_bytes == 0


def test_no_more_is_kept_than_there_is_room_for(scene: Scene) -> None:
    slow = []
    for number in range(12):
        slow.append(scene.ask(f"/{number}"))
        pause(slow[-1])
        scene.last.begin(200, KEPT, length=100_000)
        if not scene.last.is_paused:
            scene.last.data(bytes(100_000))
            scene.last.finish()
    assert scene.cache.filling_bytes <= 700_000
    assert scene.last.is_paused
    for heard in slow:
        resume(heard)
    assert all(len(heard.body) == 100_000 for heard in slow[:5])
    assert scene.cache.filling_bytes == 0


def test_a_client_that_is_slow_holds_back_what_is_not_kept(scene: Scene) -> None:
    heard = scene.ask("/a")
    scene.last.begin(200, "Cache-Control: no-store", length=None)
    scene.last.data(b"one")
    pause(heard)
    assert scene.last.is_paused
    scene.last.data(b"two")
    assert heard.body == b"one"
    resume(heard)
    assert heard.body == b"onetwo"
    assert not scene.last.is_paused
    scene.last.finish()
    assert heard.is_ended


def test_pausing_before_the_head_is_there(scene: Scene) -> None:
    heard = scene.ask("/a")
    pause(heard)
    scene.last.begin(200, "Cache-Control: no-store", length=None)
    scene.last.data(b"one")
    assert (heard.status, heard.body) == (200, b"")
    assert scene.last.is_paused
    resume(heard)
    assert heard.body == b"one"


def test_a_slow_client_of_what_turned_out_too_large(scene: Scene) -> None:
    slow, quick = scene.ask("/a"), scene.ask("/a")
    pause(slow)
    scene.last.begin(200, KEPT, length=None)
    scene.last.data(bytes(100_000))
    scene.last.data(bytes(100_000))
    assert len(quick.body) == 200_000
    assert scene.last.is_paused
    resume(slow)
    assert len(slow.body) == 200_000
    assert not scene.last.is_paused
    scene.last.finish()
    assert slow.is_ended
    assert quick.is_ended


def test_one_slow_client_who_leaves_lets_the_others_go_on(scene: Scene) -> None:
    slow, quick = scene.ask("/a"), scene.ask("/a")
    pause(slow)
    scene.last.begin(200, KEPT, length=None)
    scene.last.data(bytes(200_000))
    assert scene.last.is_paused
    cancel(slow)
    assert not scene.last.is_paused
    scene.last.finish()
    assert quick.is_ended


def test_resuming_in_the_midst_of_what_is_told(scene: Scene) -> None:
    heard = scene.ask("/a")

    def again() -> None:
        pause(heard)
        resume(heard)

    heard.on_piece = again
    scene.last.begin(200, KEPT, length=6)
    scene.last.data(b"one")
    scene.last.data(b"two")
    scene.last.finish()
    assert heard.pieces == [b"one", b"two"]
    assert heard.is_ended
