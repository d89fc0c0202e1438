"""What the dashboard says, in each language: headings, names of columns, and sentences with places for figures.

Words alone belong here; the main findings are said by `calback_assets.report`, whose words are used where they are the
same.
"""

from dataclasses import dataclass

from calback_assets.report.english import LABELS as ENGLISH_REPORT
from calback_assets.report.korean import LABELS as KOREAN_REPORT


@dataclass(frozen=True)
class Labels:
    """All that is said in one language; a name in braces is a place for what the page computes."""

    locale: str
    """How the browser is to write numbers and days."""
    axis_day: str
    """How a day stands at an axis, in D3's letters."""
    title: str
    lead: str
    other_language: str
    report: str
    no_script: str
    nothing: str

    range_heading: str
    range_from: str
    range_to: str
    range_newest: str
    range_all: str
    range_said: str
    not_final_said: str

    figures_heading: str
    mean_dau: str
    last_wau: str
    last_mau: str
    mean_stickiness: str
    sum_new: str
    last_frequent: str
    up: str
    down: str
    same: str
    no_earlier: str

    answer_heading: str
    notes_heading: str
    pictures_heading: str
    as_table: str
    download: str
    too_little: str

    day: str
    week: str
    state: str
    not_final: str
    few: str
    unknown: str
    rest: str

    active_title: str
    active_text: str
    dau: str
    wau: str
    mau: str
    before_title: str
    before_text: str
    now: str
    before: str
    before_day: str
    stickiness_title: str
    stickiness_text: str
    stickiness: str
    frequent_title: str
    frequent_text: str
    frequent: str
    frequent_share: str
    lifecycle_title: str
    lifecycle_text: str
    new: str
    returning: str
    resurrected: str
    dormant: str
    retention_title: str
    retention_text: str
    cohort: str
    joined: str
    weeks_after: str
    week_number: str
    platform_title: str
    country_title: str
    app_version_title: str
    values_text: str


ENGLISH = Labels(
    locale="en-GB",
    axis_day="%-d %b %y",
    title="Calback day by day",
    lead="How many people use Calback, how often they come, and with what.",
    other_language="한국어",
    report="Who keeps coming back, and why we think so: the whole answer",
    no_script="The pictures are drawn by a script that is part of this file; allow it to run, and nothing is sent "
    "anywhere.",
    nothing="There is not enough data yet.",
    range_heading="Days",
    range_from="From",
    range_to="To",
    range_newest="Last {days} days",
    range_all="All",
    range_said="{from} to {to}, {days} days",
    not_final_said="Not final, since Google Analytics may still change these days: {days}. They are shaded.",
    figures_heading="At a glance, against the same number of days before",
    mean_dau="People per day",
    last_wau="People in the last 7 days",
    last_mau="People in the last 30 days",
    mean_stickiness="Stickiness",
    sum_new="New people",
    last_frequent="Who keep coming back",
    up="{change} more than before ({before})",
    down="{change} less than before ({before})",
    same="as before ({before})",
    no_earlier="nothing to compare with",
    answer_heading="What we know of who comes back",
    notes_heading="What happened",
    pictures_heading="Pictures",
    as_table=ENGLISH_REPORT.as_table,
    download="Download CSV",
    too_little="There is not enough data in these days.",
    day="Day",
    week="Week from",
    state="State",
    not_final="not final",
    few=ENGLISH_REPORT.under_ten,
    unknown="not known",
    rest="the rest",
    active_title="Active people",
    active_text="People who did something in the app: on the day (DAU), in the 7 days (WAU) and in the 30 days (MAU) "
    "that end with it.",
    dau="DAU",
    wau="WAU",
    mau="MAU",
    before_title="These days against the days before",
    before_text="People per day, and the people of the same number of days before.",
    now="These days",
    before="Before",
    before_day="Day before",
    stickiness_title="Stickiness",
    stickiness_text="DAU as a share of MAU: of the people of a month, how many come on a day.",
    stickiness="DAU / MAU",
    frequent_title="People who keep coming back",
    frequent_text="Active on at least {days} of the 30 days that end with the day.",
    frequent="Who keep coming back",
    frequent_share="Share of MAU",
    lifecycle_title=ENGLISH_REPORT.lifecycle_title,
    lifecycle_text="People per day, mean of each full week: new, returning within 30 days, back after a longer pause. "
    "Below the line: those who have been away for 30 days.",
    new=ENGLISH_REPORT.new,
    returning=ENGLISH_REPORT.returned,
    resurrected=ENGLISH_REPORT.resurrected,
    dormant=ENGLISH_REPORT.dormant,
    retention_title=ENGLISH_REPORT.retention_title,
    retention_text="A row is a week of joining, a column a week since. The figures are per cent: the darker, the more "
    "came back. Empty: not over yet for everybody, or under ten people.",
    cohort=ENGLISH_REPORT.cohort,
    joined=ENGLISH_REPORT.joined,
    weeks_after="Weeks since joining",
    week_number="Week {number}",
    platform_title="By platform",
    country_title="By country",
    app_version_title="By version of the app",
    values_text="People per day, the five most common of these days and the rest. Who used two counts in both. Values "
    "with under ten people on a day are part of the rest; a rest of under ten is not shown.",
)

KOREAN = Labels(
    locale="ko-KR",
    axis_day="%y.%-m.%-d",
    title="캘박 대시보드",
    lead="캘박을 몇 명이, 얼마나 자주, 무엇으로 쓰는지 보여 줍니다.",
    other_language="English",
    report="누가 계속 찾아오는지, 그 근거까지 전체 답 보기",
    no_script="그래프는 이 파일에 들어 있는 스크립트가 그립니다. 스크립트를 허용해 주세요. 어디로도 아무것도 보내지 "
    "않습니다.",
    nothing="아직 데이터가 충분하지 않습니다.",
    range_heading="기간",
    range_from="시작일",
    range_to="종료일",
    range_newest="최근 {days}일",
    range_all="전체",
    range_said="{from} ~ {to}, {days}일",
    not_final_said="다음 날짜는 Google Analytics가 아직 바꿀 수 있어 확정되지 않았으며, 그래프에 음영으로 표시합니다: "
    "{days}",
    figures_heading="한눈에 보기(직전 같은 길이의 기간과 비교)",
    mean_dau="하루 평균 이용자",
    last_wau="최근 7일 이용자",
    last_mau="최근 30일 이용자",
    mean_stickiness="고착도",
    sum_new="신규 이용자",
    last_frequent="계속 찾아오는 사람",
    up="이전({before})보다 {change} 증가",
    down="이전({before})보다 {change} 감소",
    same="이전({before})과 같음",
    no_earlier="비교할 이전 기간이 없음",
    answer_heading="누가 다시 오는지에 대해 아는 것",
    notes_heading="있었던 일",
    pictures_heading="그래프",
    as_table=KOREAN_REPORT.as_table,
    download="CSV 내려받기",
    too_little="이 기간에는 데이터가 충분하지 않습니다.",
    day="날짜",
    week="주 시작일",
    state="상태",
    not_final="미확정",
    few=KOREAN_REPORT.under_ten,
    unknown="알 수 없음",
    rest="나머지",
    active_title="활동 이용자",
    active_text="앱에서 활동한 사람 수입니다. 그날(DAU), 그날까지의 7일(WAU), 그날까지의 30일(MAU) 동안의 수입니다.",
    dau="DAU",
    wau="WAU",
    mau="MAU",
    before_title="이번 기간과 직전 기간",
    before_text="하루 이용자 수입니다. 각 날짜를 선택한 기간의 길이만큼 앞선 날과 겹쳐 보여 줍니다.",
    now="이번 기간",
    before="직전 기간",
    before_day="직전 기간의 날짜",
    stickiness_title="고착도",
    stickiness_text="MAU 대비 DAU입니다. 한 달 이용자 가운데 하루에 오는 사람의 비율입니다.",
    stickiness="DAU / MAU",
    frequent_title="계속 찾아오는 사람",
    frequent_text="그날까지의 30일 가운데 {days}일 이상 활동한 사람입니다.",
    frequent="계속 찾아오는 사람",
    frequent_share="MAU 대비 비율",
    lifecycle_title=KOREAN_REPORT.lifecycle_title,
    lifecycle_text="온전한 주마다 하루 평균 인원입니다. 신규, 30일 안의 재방문, 더 오랜만의 복귀로 나눕니다. 선 "
    "아래는 30일 동안 오지 않은 사람입니다.",
    new=KOREAN_REPORT.new,
    returning=KOREAN_REPORT.returned,
    resurrected=KOREAN_REPORT.resurrected,
    dormant=KOREAN_REPORT.dormant,
    retention_title=KOREAN_REPORT.retention_title,
    retention_text="행은 가입한 주, 열은 가입 후 지난 주이며, 숫자는 퍼센트입니다. 진할수록 많이 다시 왔습니다. 빈칸은 "
    "아직 모든 사람에게 지나지 않은 주이거나 10명 미만입니다.",
    cohort=KOREAN_REPORT.cohort,
    joined=KOREAN_REPORT.joined,
    weeks_after="가입 후 주",
    week_number="{number}주",
    platform_title="플랫폼별",
    country_title="국가별",
    app_version_title="앱 버전별",
    values_text="하루 이용자 수이며, 이 기간에 가장 많은 다섯 가지와 나머지입니다. 둘을 쓴 사람은 양쪽에 셉니다. "
    "하루 10명 미만인 값은 나머지에 들어가며, 나머지도 10명 미만이면 표시하지 않습니다.",
)

LABELS = {"en": ENGLISH, "ko": KOREAN}
"""By the code of the language, as in `calback_assets.report.page.LANGUAGES`."""
