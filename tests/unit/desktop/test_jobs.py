import threading

import pytest

from napari_attribution.desktop.jobs import Jobs
from napari_attribution.errors import WellError


@pytest.fixture
def jobs(mail):
    jobs = Jobs(mail)
    yield jobs
    jobs.close()


def test_a_result_is_delivered_on_the_thread_of_the_window(jobs, mail):
    threads, results = [], []
    jobs.start("x", lambda report: threads.append(threading.current_thread()) or 7, results.append, pytest.fail)
    mail.deliver_until(lambda: bool(results))
    assert results == [7]
    assert threads[0] is not threading.current_thread()
    assert not jobs.busy("x")


def test_a_stale_result_is_dropped(jobs, mail):
    go, results = threading.Event(), []
    jobs.start("x", lambda report: go.wait(10) and "old", results.append, pytest.fail)
    jobs.start("x", lambda report: "new", results.append, pytest.fail)
    go.set()
    mail.deliver_until(lambda: bool(results))
    mail.deliver_all()
    assert results == ["new"]


def test_a_result_that_is_already_in_the_mail_is_dropped_when_cancelled(jobs, mail):
    results = []
    jobs.start("x", lambda report: 1, results.append, pytest.fail)
    letter = mail.calls.get(timeout=10)
    jobs.cancel("x")
    letter()
    assert results == []


def test_cancel_stops_at_the_first_progress(jobs, mail):
    steps, started, go = [], threading.Event(), threading.Event()

    def work(report):
        for step in range(1000):
            started.set()
            go.wait(10)
            report(step, 1000)
            steps.append(step)

    jobs.start("x", work, pytest.fail, pytest.fail)
    assert started.wait(10)
    jobs.cancel("x")
    go.set()
    done = []
    jobs.start("y", lambda report: True, done.append, pytest.fail)
    mail.deliver_until(lambda: bool(done))
    assert steps == []


def test_progress_is_reported_but_not_too_often(jobs, mail):
    seen, done = [], []

    def work(report):
        for step in range(2000):
            report(step + 1, 2000)

    jobs.start("x", work, done.append, pytest.fail, lambda a, b: seen.append((a, b)))
    mail.deliver_until(lambda: bool(done))
    assert seen[-1] == (2000, 2000)
    assert len(seen) < 200


def test_an_error_that_a_user_can_mend_is_its_sentence(jobs, mail):
    failures = []

    def work(report):
        raise WellError("The stack has 3 planes. Choose one.")

    jobs.start("x", work, pytest.fail, failures.append)
    mail.deliver_until(lambda: bool(failures))
    assert failures[0].sentence == "The stack has 3 planes. Choose one."
    assert failures[0].details == ""


def test_any_other_error_is_a_sentence_with_details_and_the_worker_lives_on(jobs, mail, caplog):
    failures, done = [], []

    def work(report):
        raise ZeroDivisionError("division by zero")

    jobs.start("x", work, pytest.fail, failures.append)
    jobs.start("y", lambda report: 1, done.append, pytest.fail)
    mail.deliver_until(lambda: bool(done))
    assert "unexpected" in failures[0].sentence
    assert "ZeroDivisionError" in failures[0].sentence
    assert "Traceback" in failures[0].details
    assert "Traceback" not in failures[0].sentence


def test_nothing_is_delivered_after_closing(mail):
    jobs, results = Jobs(mail), []
    jobs.start("x", lambda report: 1, results.append, pytest.fail)
    letter = mail.calls.get(timeout=10)
    jobs.close()
    letter()
    assert results == []
