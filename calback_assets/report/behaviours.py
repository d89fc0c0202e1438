"""What known behaviours are called in words: GA4's own events, those of the app, and those that are declared.

Only names belong here; a behaviour that is not known is shown by the name that its sender gave it.
"""

from typing import NamedTuple


class Phrase(NamedTuple):
    """A behaviour in both languages."""

    did: str
    """What people have done: "made a meeting with others"."""
    to_do: str
    """What they may be helped to do: "make a meeting with others"."""
    korean: str
    """The same as a noun phrase, which stands in any sentence."""


KNOWN = {
    "active_days": Phrase("days on which they were there", "come on more days", "방문한 날 수"),
    "app_exception": Phrase("met a crash", "meet a crash", "앱 오류(강제 종료) 겪기"),
    "app_open": Phrase("opened the app", "open the app", "앱 열기"),
    "app_opens": Phrase("openings of the app", "open the app", "앱을 연 횟수"),
    "calendar_share": Phrase("shared a calendar", "share a calendar", "캘린더 공유하기"),
    "calendar_view": Phrase("looked at a calendar", "look at a calendar", "캘린더 보기"),
    "events": Phrase("number of events", "do more", "이벤트 수"),
    "first_open": Phrase("opened the app for the first time", "open the app", "앱 처음 열기"),
    "friend_request_accepted": Phrase(
        "had a friend request accepted", "send a friend request that is accepted", "친구 요청 수락받기"
    ),
    "friend_request_sent": Phrase("sent a friend request", "send a friend request", "친구 요청 보내기"),
    "friend_request_unanswered": Phrase(
        "sent a friend request that nobody answered", "send a friend request", "답이 없는 친구 요청 보내기"
    ),
    "invite_accepted": Phrase("accepted an invitation", "accept an invitation", "초대 수락하기"),
    "login": Phrase("logged in again", "log in again", "다시 로그인하기"),
    "meeting_all_day": Phrase("made an all-day meeting", "make an all-day meeting", "하루 종일 모임 만들기"),
    "meeting_alone": Phrase("made a meeting with nobody else", "make a meeting alone", "혼자만의 모임 만들기"),
    "meeting_created": Phrase("made a meeting", "make a meeting", "모임 만들기"),
    "meeting_joined": Phrase("joined somebody's meeting", "join somebody's meeting", "다른 사람의 모임에 참여하기"),
    "meeting_open": Phrase("opened a meeting", "open a meeting", "모임 열어 보기"),
    "meeting_proposed": Phrase("proposed a meeting", "propose a meeting", "모임 제안하기"),
    "meeting_recurring": Phrase("made a recurring meeting", "make a recurring meeting", "반복 모임 만들기"),
    "meeting_with_others": Phrase(
        "made a meeting with others", "make a meeting with others", "다른 사람과 함께하는 모임 만들기"
    ),
    "notification_open": Phrase("opened a notification", "open a notification", "알림 열기"),
    "platform": Phrase("platform of the device", "use another platform", "기기 플랫폼"),
    "screen_view": Phrase("looked at a screen", "look at a screen", "화면 보기"),
    "search": Phrase("searched", "search", "검색하기"),
    "session_start": Phrase("began a session", "begin a session", "세션 시작하기"),
    "sessions": Phrase("number of sessions", "come more often", "세션 수"),
    "sign_up": Phrase("signed up", "sign up", "가입하기"),
    "theme_change": Phrase("changed the theme", "change the theme", "테마 바꾸기"),
    "user_engagement": Phrase("had the app in front of them", "use the app", "앱을 화면에 띄워 사용하기"),
}

PRESENCE = frozenset({"app_open", "first_open", "login", "screen_view", "session_start", "sign_up", "user_engagement"})
"""What says only that somebody is there, or is new, and not what they do."""

HOLDS = {
    "friend_request_sent": ("friend_request_accepted",),
    "meeting_created": ("meeting_with_others",),
}
"""What is done by everybody who does one of those on the right: no news beside them."""
