"""What is said of figures: found, explained away, or not to be told; in both languages."""

from datetime import date, timedelta
from math import exp, isnan, log

import pytest

from calback_assets.report.behaviours import KNOWN
from calback_assets.report.findings import Findings, findings_of, people_needed
from calback_assets.report.marked import as_html, as_text, marked
from calback_assets.report.page import LANGUAGES, reports_of
from calback_assets.report.series import Empty, flows_of, heat_of, power_of
from calback_assets_tests.report.given import MONDAY, cohort, flows, insight, lift, model, null, plain, power, rate


def found(**parts: list[dict[str, object]]) -> Findings:
    return findings_of(insight(**parts))


def test_the_answer_says_each_figure_with_its_interval_in_english() -> None:
    assert reports_of(plain())["en"].answer == [
        "1,000 people keep coming back; for each day they are there they did more often than others: opened a meeting, "
        "1.45 times as often (95% interval 1.31 to 1.60).",
        "Of 4,000 new people 29% came back, and, among people who were equally active in their first week, more of "
        "those "
        "who made a meeting with others (odds 2.35 times as high, 95% interval 2.13 to 2.60; 1,000 people); and "
        "fewer of "
        "those who met a crash (odds 0.57 times as high, 95% interval 0.49 to 0.66; 900 people).",
        "The first week tells fairly well who returns: of a person who came back and one who did not, the model "
        "gives the "
        "first the higher chance in 71% of cases (95% interval 69% to 73%; a coin toss is 50%), where 37% of all came "
        "back. The model is in use.",
    ]


def test_the_answer_says_each_figure_with_its_interval_in_korean() -> None:
    first, second, third = reports_of(plain())["ko"].answer
    assert "1,000명" in first
    assert "모임 열어 보기 1.45배(95% 신뢰구간 1.31~1.60)" in first
    assert "다른 사람과 함께하는 모임 만들기(오즈 2.35배, 95% 신뢰구간 2.13~2.60, 1,000명)" in second
    assert "앱 오류(강제 종료) 겪기(오즈 0.57배, 95% 신뢰구간 0.49~0.66, 900명)" in second
    assert "71%의 경우" in third
    assert "(95% 신뢰구간 69%~73%, 동전 던지기는 50%)" in third


def test_of_a_world_without_effects_it_says_that_it_cannot_tell_and_what_it_would_have_seen() -> None:
    reports = reports_of(null())
    english, korean = reports["en"].answer, reports["ko"].answer
    assert all("annot tell" in sentence for sentence in english)
    assert all("수 없습니다" in sentence for sentence in korean)
    error = log(1.07 / 0.95) / (2 * 1.959964)
    assert f"a ratio of {exp(2.801585 * error):.2f} or more would probably have been seen" in english[0]
    assert "an odds ratio of 1.25" in english[1]
    assert "The model is not in use" in english[2]
    assert "실험을 시작할 만한 행동을 찾지 못했습니다" in LANGUAGES["ko"].experiment(reports["ko"].findings.experiment)


def test_of_empty_tables_it_says_that_there_is_not_enough_data_yet() -> None:
    reports = reports_of(insight())
    assert all("not enough data yet" in sentence for sentence in reports["en"].answer)
    assert all("아직 데이터가 부족합니다" in sentence for sentence in reports["ko"].answer)
    assert "There is no data yet." in reports["en"].page()


def test_what_fades_once_activity_is_held_fixed_is_named_as_explained_away() -> None:
    world = findings_of(plain())
    assert world.first_week is not None
    (faded,) = world.first_week.explained_away
    assert faded.behaviour == "notification_open"
    said = LANGUAGES["en"].confounded(faded)
    assert said.startswith("opened a notification: odds ratio 1.77 (1.54 to 2.05) by itself, 1.03 (0.93 to 1.13)")


def test_an_interval_that_is_only_wide_explains_nothing_away() -> None:
    world = found(lift=[lift("search", (1.6, 0.8, 3.2), (1300, 480, 2700, 670))])
    assert world.first_week is not None
    assert world.first_week.explained_away == []


def test_being_there_is_no_behaviour_of_those_who_keep_coming_back() -> None:
    world = findings_of(plain())
    assert world.frequent is not None
    assert [rate.behaviour for rate in world.frequent.more] == ["meeting_open"]
    assert [rate.behaviour for rate in world.frequent.more_people_only] == ["meeting_with_others"]


def test_a_behaviour_that_holds_another_one_that_is_found_is_no_news() -> None:
    world = found(lift=[lift("meeting_created", (2.3, 2.0, 2.6)), lift("meeting_with_others", (2.2, 2.0, 2.5))])
    assert world.first_week is not None
    assert [lift.behaviour for lift in world.first_week.helpful] == ["meeting_with_others"]


def test_a_threshold_that_newer_people_confirm_is_said_with_its_number() -> None:
    world = found(
        lift=[lift("search"), lift("friend_request_accepted", (3.0, 2.0, 4.5), period="newer", at_least=7)],
    )
    assert "had a friend request accepted, 7 times or more" in LANGUAGES["en"].first_week(world.first_week)
    assert "친구 요청 수락받기(7번 이상)" in LANGUAGES["ko"].first_week(world.first_week)


def test_months_and_the_other_outcome_are_not_mistaken_for_everybody() -> None:
    world = found(
        lift=[
            lift("search", (1.5, 1.2, 1.9), period="2024-01"),
            lift("search"),
            lift("search", (9.0, 8.0, 10.0), outcome="frequent"),
        ]
    )
    assert world.first_week is not None
    assert [(lift.behaviour, lift.period) for lift in world.first_week.lifts] == [("search", "all")]


def test_the_experiment_has_the_size_that_published_tables_give() -> None:
    # Fleiss, Levin and Paik (2003), without continuity correction: 0.60 against 0.70 takes about 356 in each group.
    assert people_needed(0.6, 0.7) == pytest.approx(356, abs=3)
    experiment = findings_of(plain()).experiment
    assert experiment is not None
    # Others return with 0.25, whose odds times 2.35 are a share of 0.439; one in ten more do it.
    assert (experiment.base, experiment.target) == pytest.approx(
        (1150 / 4000, 1150 / 4000 + 0.1 * (0.43925 - 0.25)), 1e-4
    )
    assert experiment.per_group == people_needed(experiment.base, experiment.target)
    assert experiment.weeks == -(-2 * experiment.per_group * 12 // 4000)


def test_a_share_over_all_cohorts_is_of_all_who_have_had_the_chance() -> None:
    first, *_ = findings_of(plain()).pooled
    assert (first.measure, first.period, first.eligible, first.retained) == ("day", 1, 400, 120)
    # Wilson's interval of 120 of 400.
    assert (first.share.value, first.share.low, first.share.high) == pytest.approx((0.3, 0.2571, 0.3467), abs=1e-4)


def test_the_unfinished_corner_is_no_fall_and_a_small_number_no_share() -> None:
    heat = heat_of(insight(retention=[*cohort(MONDAY, [64, 9]), *cohort(MONDAY + timedelta(7), [50])]).retention)
    assert heat is not None
    unfinished = [Empty.UNFINISHED] * 2
    assert heat.cells == [[0.32, Empty.SMALL, *unfinished], [0.25, Empty.UNFINISHED, *unfinished]]


def test_the_first_thirty_days_and_weeks_that_are_not_whole_say_nothing_of_flows() -> None:
    days = [flows(MONDAY + timedelta(days=number)) for number in range(46)]
    drawn = flows_of(insight(lifecycle=days).lifecycle)
    assert drawn is not None
    # Day 30 is a Wednesday; the first whole week after it begins on 5 February.
    assert drawn.weeks == [date(2024, 2, 5)]
    assert drawn.means["returning_users"] == [300]
    assert flows_of(insight(lifecycle=days[:30]).lifecycle) is None


def test_the_power_curve_is_of_everybody_and_shows_no_small_number() -> None:
    drawn = power_of(insight(power=power(MONDAY, [80, 11, 9])).power)
    assert drawn is not None
    assert drawn.earlier is None
    assert drawn.newest[:2] == [0.8, 0.11]
    assert all(map(isnan, drawn.newest[2:]))


def test_the_model_that_is_spoken_of_is_the_promoted_one_or_the_best() -> None:
    rows = [
        model("base_rate", (0.5, 0.5, 0.5)),
        model("logistic", (0.7, 0.68, 0.72)),
        model("boosting", (0.71, 0.69, 0.73)),
    ]
    best = findings_of(insight(models=rows)).best
    assert best is not None
    assert best.name == "boosting"
    rows[1]["is_promoted"] = True
    promoted = findings_of(insight(models=rows)).best
    assert promoted is not None
    assert promoted.name == "logistic"


def test_every_known_behaviour_has_words_of_its_own_in_both_languages() -> None:
    for words in (LANGUAGES["en"], LANGUAGES["ko"]):
        said = [words.behaviour(name) for name in KNOWN]
        assert len(set(said)) == len(said)
        assert not any(name in text for name, text in zip(KNOWN, said, strict=True) if "_" in name)


def test_a_name_that_is_not_known_stays_a_name() -> None:
    assert as_html(f"who {marked('<b>tap</b>')}") == 'who <code translate="no">&lt;b&gt;tap&lt;/b&gt;</code>'
    assert as_text(f"who {marked('tap')}") == "who 'tap'"
    assert as_text(marked("a\u202eb\ue001c\n")) == "'a�b�c�'"
    assert len(as_text(marked("x" * 500))) < 70


def test_rates_of_few_people_are_not_spoken_of() -> None:
    world = found(
        behaviour=[rate("meeting_open", (3.0, 2.0, 4.0), (9, 500)), rate("search", (2.0, 1.5, 2.5), (400, 9))]
    )
    assert world.frequent is not None
    assert world.frequent.told == []
