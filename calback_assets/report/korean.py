"""The report in Korean: its labels and its sentences."""

from collections.abc import Sequence
from datetime import date

from calback_assets.report.behaviours import KNOWN
from calback_assets.report.findings import FEWEST, Experiment, Findings, FirstWeek, Frequent, Judged, Lift, Rate
from calback_assets.report.marked import marked
from calback_assets.report.words import NONE, Labels, Words

_MOST = 3
"""So many behaviours in a sentence; the table has all."""

LABELS = Labels(
    title="누가 캘박을 계속 찾고, 누가 다시 올까",
    question="가설: 자주 방문하는 사람들의 행동은 앱의 가치를 보여 주고, 신규 사용자의 처음 행동은 다시 올지를 알려 "
    "준다.",
    answer="답",
    confounds="이 결과가 말해 주지 않는 것",
    next_step="다음에 해 볼 실험",
    frequent="계속 찾아오는 사람들이 하는 일",
    first_week="첫 주의 어떤 행동이 재방문과 함께 나타나는가",
    prediction="첫 주만 보고 다시 올 사람을 알 수 있는가",
    returning="얼마나 다시 오는가",
    definitions_heading="용어",
    definitions=(
        ("활동일", "데이터의 시간대를 기준으로, 앱에서 한 가지 이상 활동한 날입니다."),
        ("계속 찾아오는 사람", "마지막 날까지의 30일 가운데 3일 이상 활동한 사람입니다(설정으로 바꿀 수 있습니다)."),
        ("첫 주", "가입일을 1일째로 하는 1~7일째입니다."),
        ("재방문", "8~37일째에 하루 이상 활동한 것입니다. 이 기간이 다 지나지 않은 사람은 세지 않습니다."),
        (
            "오즈비",
            "어떤 행동을 한 사람들의 재방문 오즈(다시 온 사람 수 ÷ 오지 않은 사람 수)가 몇 배인지를 나타냅니다. 1은 "
            "차이가 없다는 뜻입니다.",
        ),
        ("활동량을 맞춘 값", "첫 주의 활동일 수와 세션 수, 그리고 다른 행동이 같은 사람끼리 비교한 값입니다."),
        ("95% 신뢰구간", "다른 사람들로 같은 일을 거듭하면 이런 구간 100개 가운데 95개가 참값을 포함합니다."),
        (
            "발견",
            "충분히 많은 사람이 했고 충분히 많은 사람이 하지 않았으며, 활동량을 맞추고 시험한 행동의 수를 "
            "보정(Benjamini–Hochberg, 5%)한 뒤에도 남은 것입니다.",
        ),
        (
            "AUC",
            "다시 온 사람과 오지 않은 사람을 한 명씩 골랐을 때 다시 온 사람에게 더 높은 확률을 준 비율입니다. 0.5는 "
            "동전 던지기와 같고 1은 언제나 맞힌 것입니다.",
        ),
    ),
    limits_heading="데이터와 한계",
    limits=(
        "마지막 3일의 수치는 아직 바뀔 수 있습니다. Google Analytics는 하루치 데이터를 최대 3일까지 다시 씁니다.",
        "데이터가 시작되기 전에 가입한 사람은 첫 주를 볼 수 없으므로 어느 코호트에도 들어가지 않습니다.",
        "코호트의 모든 사람에게 아직 지나지 않은 주는 미완료로 표시하며, 감소를 뜻하지 않습니다.",
        "10명 미만의 수와 그 수를 알 수 있게 하는 비율은 표시하지 않습니다.",
        "이 앱의 이 시기 사용자에 관한 결과이며, 다른 사람들에게는 다를 수 있습니다.",
    ),
    model_card="모델 카드",
    as_table="표로 보기",
    under_ten="10명 미만",
    unfinished="미완료",
    too_few="너무 적음",
    yes="예",
    no="아니요",
    behaviour="행동",
    frequent_people="계속 찾아오는 사람",
    other_people="그 밖의 사람",
    per_active_day="활동일당 횟수",
    rate_ratio="활동일당 비(95% 신뢰구간)",
    did_it="한 사람",
    people="사람 수",
    share_back="한 사람 중 재방문",
    share_back_others="하지 않은 사람 중 재방문",
    odds_alone="단순 오즈비(95% 신뢰구간)",
    odds_adjusted="활동량을 맞춘 오즈비(95% 신뢰구간)",
    found="발견",
    could_be_seen="알아볼 수 있는 가장 작은 오즈비",
    e_value="E값(구간의 E값)",
    month="가입 월",
    cohort="가입 주(월요일)",
    cohort_week="주(월요일)",
    week="지난 주 수",
    joined="가입자",
    decile="열 등분(확률이 낮은 쪽부터)",
    chance="평균 예측 확률",
    came_back="재방문",
    lift="평균 대비(95% 신뢰구간)",
    model="모델",
    promoted="사용 중",
    base_rate="전체 재방문율",
    auc="AUC(95% 신뢰구간)",
    average_precision="평균 정밀도(95% 신뢰구간)",
    brier="브라이어 점수(95% 신뢰구간)",
    slope="보정 기울기(1이 정확)",
    version="버전",
    feature="첫 주의 특성",
    auc_lost="없을 때 줄어드는 AUC",
    group="집단",
    mean_chance="평균 예측 확률",
    measure="기준",
    measures={"day": "바로 그날", "bracket": "앞 기준일 다음 날부터 그날까지", "unbounded": "그날 또는 그 뒤"},
    days_after="가입 후 일수",
    eligible="기간이 지난 사람",
    share="비율(95% 신뢰구간)",
    share_of="재방문율",
    new="신규",
    returned="재방문",
    resurrected="오랜만에 복귀",
    dormant="휴면 전환",
    per_day="하루 인원(주 평균)",
    active_days="30일 중 활동일 수",
    newest="최근 30일",
    month_earlier="그 전 30일",
    perfect="예측 확률 = 실제 재방문율",
    retention_title="매주 가입한 사람이 얼마나 다시 오는가(가입 후 주별)",
    retention_text="행은 가입한 주, 열은 가입 후 지난 주입니다. 진할수록 많이 다시 왔습니다. 빗금은 아직 모든 "
    "사람에게 지나지 않은 기간으로, 아무것도 뜻하지 않습니다.",
    pooled_title="가입 1·3·7·14·30일 뒤에 얼마나 다시 오는가(모든 주 합계)",
    lifecycle_title="활동하는 사람은 어디서 오고, 얼마나 떠나는가",
    lifecycle_text="하루 활동 인원의 주 평균입니다. 신규, 30일 안의 재방문, 더 오랜만의 복귀로 나눕니다. 선 아래는 "
    "활동하지 않은 지 30일이 된 사람입니다.",
    power_title="30일 중 며칠이나 활동하는가",
    power_text="활동일 수별 사람의 비율입니다. 최근 30일과 그 전 30일을 견줍니다.",
    rates_title="계속 찾아오는 사람이 활동일마다 더 하거나 덜 하는 일",
    rates_text="계속 찾아오는 사람과 그 밖의 사람의 활동일당 횟수의 비입니다. 선의 오른쪽이면 더 많이 합니다. 막대는 "
    "95% 신뢰구간입니다.",
    forest_title="첫 주의 어떤 행동이 재방문과 함께 나타나는가",
    forest_text="오즈비와 95% 신뢰구간입니다. 진한 것은 활동량과 다른 행동을 맞춘 값이고, 속이 찬 것은 발견된 "
    "것입니다. 흐린 것은 단순 오즈비입니다. 단순 값만 크고 맞추면 사라지는 것은 재방문이 아니라 활동량의 표시입니다.",
    months_title="달마다 같은가",
    months_text="가입 월별로 활동량을 맞춘 오즈비입니다.",
    calibration_title="예측한 확률이 실제와 맞는가",
    calibration_text="평가 대상을 예측 확률에 따라 열로 나누었습니다. 선 위에 있으면 예측한 만큼 다시 온 것입니다.",
    deciles_title="예측 확률로 열 등분한 평가 대상",
    importance_title="모델이 가장 많이 보는 것",
    groups_title="가장 잘 맞지 않는 집단",
    groups_text="예측 확률이 실제와 가장 많이 어긋난 집단입니다.",
    models_title="학습에 쓰지 않은 사람들에게 모델이 얼마나 맞았는가",
)


class Korean(Words):
    """Korean, in the polite form; behaviours are noun phrases, so that no particle hangs on a name."""

    code = "ko"
    labels = LABELS
    to = "~"
    opening = "("

    def day(self, day: date) -> str:
        """2024년 4월 29일."""
        return f"{day.year}년 {day.month}월 {day.day}일"

    def short_day(self, day: date) -> str:
        """4월 29일."""
        return f"{day.month}월 {day.day}일"

    def span(self, first: date | None, last: date | None) -> str:
        """From a day to a day."""
        return f"{self.day(first)} ~ {self.day(last)}" if first and last else NONE

    def behaviour(self, name: str, at_least: int = 1) -> str:
        """What people have done."""
        did = KNOWN[name].korean if name in KNOWN else marked(name)
        return did if at_least == 1 else f"{did}({at_least}번 이상)"

    def model(self, name: str) -> str:
        """What a model is called."""
        return _MODELS.get(name) or marked(name)

    def group(self, name: str) -> str:
        """What a group of people is called."""
        for beginning, said in _GROUPS.items():
            if name.startswith(beginning):
                rest = name.removeprefix(beginning)
                return said.format(_WEEKDAYS.get(rest) or (marked(rest) if "platform" in beginning else rest))
        return marked(name)

    def range_of(self, findings: Findings) -> str:
        """Which days the report is about."""
        if findings.as_of is None:
            return "아직 데이터가 없습니다."
        since = f", {self.day(findings.first_cohort)} 주부터의 가입자" if findings.first_cohort else ""
        return f"{self.day(findings.as_of)} 기준{since}."

    def frequent(self, found: Frequent | None) -> str:
        """What the people who keep coming back do."""
        if found is None:
            return "계속 찾아오는 사람들이 무엇을 하는지 말하기에는 아직 데이터가 부족합니다."
        who = f"계속 찾아오는 사람은 {self._people(found.frequent_users)}"
        if not found.more and not found.less:
            seen = found.smallest_seen
            limit = f"(활동일당 비가 {self.number(seen)}배 이상이었다면 아마 알아볼 수 있었을 것입니다)" if seen else ""
            return (
                f"{who}이지만, 이들이 다른 사람과 다른 행동을 하는지는 알 수 없습니다. 활동일당으로 보면 뚜렷이 다른 "
                f"행동이 없습니다{limit}."
            )
        if not found.more:
            return (
                f"{who}이며, 활동일당으로 볼 때 다른 사람보다 뚜렷이 더 자주 하는 일은 없고 덜 하는 일은 다음과 "
                f"같습니다: "
                f"{self._rates(found.less)}."
            )
        return (
            f"{who}이며, 활동일당으로 볼 때 다른 사람보다 더 자주 한 일은 다음과 같습니다: {self._rates(found.more)}."
        )

    def presence(self, found: Frequent) -> str:
        """What more of them have done only because they were there more often."""
        rates = ", ".join(
            f"{self.behaviour(rate.behaviour)}({self.share(rate.frequent_share)}, 그 밖의 사람 "
            f"{self.share(rate.other_share)})"
            for rate in found.more_people_only[:_MOST]
        )
        return (
            f"30일 동안 한 사람의 비율은 더 높지만 활동일당으로는 더 자주 하지 않은 일도 있습니다. 더 자주 왔기 "
            f"때문일 수 있습니다: {rates}."
        )

    def first_week(self, found: FirstWeek | None) -> str:
        """What in the first week goes together with coming back."""
        if found is None:
            return "첫 주의 어떤 행동이 재방문과 함께 나타나는지 말하기에는 아직 데이터가 부족합니다."
        who = f"신규 사용자 {self._people(found.people)} 가운데 {self.share(found.share)}가 다시 왔습니다"
        if not found.helpful and not found.harmful:
            seen = found.detectable
            limit = (
                f" 가장 알아보기 쉬운 행동은 오즈비 {self.number(seen[0])}, 가장 어려운 행동은 {self.number(seen[1])} "
                f"이상이었다면 아마 알아볼 수 있었을 것입니다."
                if seen
                else ""
            )
            return (
                f"{who}. 첫 주의 행동 가운데 재방문과 함께 나타나는 것이 있는지는 알 수 없습니다. 활동량을 맞추면 "
                f"시험한 "
                f"행동 {len(found.tested)}가지 중 남는 것이 없습니다.{limit}"
            )
        parts = []
        if found.helpful:
            parts.append(f"더 많이 다시 온 사람들의 행동: {self._lifts(found.helpful)}")
        if found.harmful:
            parts.append(f"더 적게 다시 온 사람들의 행동: {self._lifts(found.harmful)}")
        return f"{who}. 첫 주의 활동량이 같은 사람끼리 견주면 다음과 같습니다. {'. '.join(parts)}."

    def prediction(self, best: Judged | None) -> str:
        """Whether the first days can tell who returns."""
        if best is None:
            return "첫 주만 보고 다시 올 사람을 알 수 있는지 말하기에는 아직 데이터가 부족합니다."
        cases = (
            f"다시 온 사람과 오지 않은 사람을 한 명씩 고르면 모델은 {best.auc.value:.0%}의 경우에 다시 온 사람에게 "
            f"더 높은 확률을 "
            f"줍니다(95% 신뢰구간 {best.auc.low:.0%}~{best.auc.high:.0%}, 동전 던지기는 50%)"
        )
        if not best.tells:
            return (
                f"첫 주만 보고 누가 다시 올지는 알 수 없습니다. {cases}. {best.smallest_seen:.0%} 이상이었다면 아마 "
                f"알아볼 수 "
                f"있었을 것입니다. {self._in_use(best)}"
            )
        return (
            f"첫 주를 보면 누가 다시 올지 {_HOW_WELL[min(3, max(0, int(best.auc.value * 10 - 5)))]}. {cases}. 전체의 "
            f"{self.share(best.base_rate)}가 다시 왔습니다. {self._in_use(best)}"
        )

    def confounded(self, lift: Lift) -> str:
        """That a behaviour only seems to go with coming back."""
        return (
            f"{self.behaviour(lift.behaviour, lift.at_least)}: 단순 오즈비 {self.estimate(lift.alone)}, 활동량과 "
            f"다른 행동을 맞추면 "
            f"{self.estimate(lift.adjusted)}"
        )

    def confounding(self) -> str:
        """What the behaviours that only seem to go with coming back have in common."""
        return (
            "다음 행동은 중요해 보일 뿐입니다. 자주 오거나 여러 일을 많이 하는 사람이 더 자주 하며, 그런 사람은 "
            "어차피 더 자주 다시 옵니다."
        )

    def unseen(self, lifts: Sequence[Lift]) -> str:
        """How strong something unseen would have to be to explain associations away."""
        strengths = ", ".join(
            f"{self.behaviour(lift.behaviour, lift.at_least)} {self.number(lift.e_value)}배(신뢰구간의 조심스러운 쪽 "
            f"끝으로는 "
            f"{self.number(lift.e_value_limit)}배)"
            for lift in lifts[:_MOST]
        )
        return (
            f"이 연관이 데이터에 없는 다른 요인만으로 설명되려면, 그 요인이 해당 행동과 재방문의 가능성을 각각 "
            f"다음만큼 높여야 합니다(E값): {strengths}."
        )

    def not_cause(self) -> str:
        """That an association is no cause."""
        return (
            "이것은 모두 연관이며 원인이 아닙니다. 계속 쓰려는 사람이 그래서 이런 행동을 하는 것일 수도 있습니다. "
            "실험만이 가려낼 수 "
            "있습니다."
        )

    def experiment(self, found: Experiment | None) -> str:
        """What to try next."""
        if found is None:
            return "실험을 시작할 만한 행동을 찾지 못했습니다. 더 많은 사람이 37일을 채운 뒤에 다시 보십시오."
        weeks = f"(신규 사용자로 약 {found.weeks}주)" if found.weeks >= FEWEST else ""
        return (
            f"신규 사용자의 절반을 무작위로 골라 첫 주에 다음 행동을 하도록 돕고, 다시 오는 비율을 나머지 절반과 "
            f"견주십시오: "
            f"{self.behaviour(found.lift.behaviour)}. 연관이 모두 원인이고 그 행동을 하는 사람이 100명에 "
            f"{found.more_do_it * 100:.0f}명씩 늘면 "
            f"재방문율은 {found.base:.1%}에서 {found.target:.1%}로 오릅니다. 이를 80%의 확률로 알아보려면 각 절반에 "
            f"{self._people(found.per_group)}이 필요합니다{weeks}."
        )

    def model_card(self, best: Judged) -> Sequence[str]:
        """Whom the model knows, whom it was judged on, and what follows from that."""
        return [
            f"모델({self.model(best.name)})은 {self.span(best.learned_from, best.learned_to)}에 가입한 "
            f"{self._people(best.learned_people)}의 데이터로 학습했고, 학습에 쓰지 않은 "
            f"{self.span(best.judged_from, best.judged_to)} 가입자 {self._people(best.judged_people)}으로 "
            f"평가했습니다. "
            f"평가 대상의 {self.share(best.base_rate)}가 다시 왔습니다.",
            "모델은 한 사람의 1~7일째만 보고 그 뒤는 보지 않습니다. 예측 확률은 누가 다시 올 법한지를 말할 뿐 무엇이 "
            "다시 오게 "
            "하는지는 말하지 않습니다. 계획을 세우는 데 쓰고, 한 사람에 관한 결정에는 쓰지 마십시오.",
        ]

    def too_little(self) -> str:
        """In the place of a picture for which there is no data yet."""
        return "아직 데이터가 부족합니다."

    def _people(self, number: int) -> str:
        return self.count(number) if number < FEWEST else f"{number:,}명"

    def _rates(self, rates: Sequence[Rate]) -> str:
        return ", ".join(
            f"{self.behaviour(rate.behaviour)} {self.number(rate.ratio.value)}배(95% 신뢰구간 "
            f"{self.interval(rate.ratio)})"
            for rate in rates[:_MOST]
        )

    def _lifts(self, lifts: Sequence[Lift]) -> str:
        return ", ".join(
            f"{self.behaviour(lift.behaviour, lift.at_least)}(오즈 {self.number(lift.adjusted.value)}배, 95% 신뢰구간 "
            f"{self.interval(lift.adjusted)}, {self._people(lift.did)})"
            for lift in lifts[:_MOST]
        )

    def _in_use(self, best: Judged) -> str:
        return (
            "이 모델을 사용하고 있습니다."
            if best.is_promoted
            else "더 낫다는 것이 확인되지 않아 이 모델은 사용하지 않습니다."
        )


_HOW_WELL = ("거의 알 수 없습니다", "조금 알 수 있습니다", "꽤 알 수 있습니다", "잘 알 수 있습니다")
_MODELS = {"base_rate": "모두에게 같은 확률", "logistic": "로지스틱 회귀", "boosting": "그레이디언트 부스팅"}
_GROUPS = {
    "active days: 3 or more": "활동일 3일 이상",
    "active days: ": "활동일 {}일",
    "joined on a ": "{}요일 가입",
    "joined in ": "{} 가입",
    "platform ": "플랫폼 {}",
}
"""How the beginnings of the model's groups are said."""
_WEEKDAYS = dict(
    zip(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), "월화수목금토일", strict=True)
)
