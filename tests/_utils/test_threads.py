import time
import warnings

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from stackae._utils.threads import ahead, one_thread_for, side_by_side, tell


def slow_first(k):
    time.sleep(0.05 if k == 0 else 0)
    tell(UserWarning(f"of {k}"))
    return 10 * k


def failing_late_first(k):
    time.sleep(0.05 if k == 1 else 0)
    if k:
        raise ValueError(f"of {k}")


@pytest.mark.parametrize("is_small", [False, True])
def test_results_and_warnings_come_in_the_order_of_the_items(is_small):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert side_by_side(slow_first, range(4), is_small=is_small) == [0, 10, 20, 30]
    assert [str(own.message) for own in caught] == ["of 0", "of 1", "of 2", "of 3"]
    assert {own.filename for own in caught} == {__file__}


@pytest.mark.parametrize("is_small", [False, True])
def test_the_first_error_in_the_order_of_the_items_is_raised(is_small):
    with pytest.raises(ValueError, match="of 1"):
        side_by_side(failing_late_first, range(4), is_small=is_small)


def test_outside_a_warning_is_given_at_once():
    with pytest.warns(UserWarning, match="of 3") as caught:
        slow_first(3)
    assert caught[0].filename == __file__


def n_threads():
    return {info["num_threads"] for info in threadpool_info()}


def test_little_work_has_one_thread_and_much_has_what_there_was():
    with threadpool_limits(2):
        with one_thread_for(1000):
            assert n_threads() == {1}
            with one_thread_for(10):
                assert n_threads() == {1}
            assert n_threads() == {1}
        assert n_threads() == {2}
        with one_thread_for(1e9):
            assert n_threads() == {2}


def test_the_last_to_leave_gives_the_threads_back():
    first, second = one_thread_for(1), one_thread_for(1)
    with threadpool_limits(2):
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert n_threads() == {1}
        second.__exit__(None, None, None)
        assert n_threads() == {2}


def test_items_made_ahead_come_in_order_and_the_next_is_made_while_one_is_used():
    made = []

    def items():
        for k in range(3):
            made.append(k)
            yield k

    for k in ahead(items()):
        for _ in range(100):
            if len(made) > k + 1 or k == 2:
                break
            time.sleep(0.01)
        assert made == list(range(min(k + 2, 3)))


def test_an_error_of_an_item_made_ahead_comes_in_its_turn():
    def items():
        yield 1
        raise ValueError("of 2")

    source = ahead(items())
    assert next(source) == 1
    with pytest.raises(ValueError, match="of 2"):
        next(source)
