"""The rows of the sample's GA4 export: columns of numbers become the nested columns of BigQuery's schema.

Only the shape of a row belongs here. Which rows make a table, and how it is stored, is in `ga4_export`.
"""

import numpy as np
import pyarrow as pa

from calback_assets.sample.people import NEVER, Devices, People
from calback_assets.sample.records import Event, EventRows
from calback_assets.sample.sessions import RELEASE_EVERY
from calback_assets.sample.timeline import DAY, Bools, Ints, day_start

BATCH_COLUMNS = ["batch_event_index", "batch_ordering_id", "batch_page_id"]
"""Older exports lack them."""

_FIRST_IOS_PROFILE = 4
_PROFILES = pa.array(
    {
        "category": category,
        "mobile_brand_name": brand,
        "mobile_model_name": model,
        "operating_system": system,
        "operating_system_version": version,
        "language": "ko-kr",
        "time_zone_offset_seconds": 32_400,
    }
    for category, brand, model, system, version in (
        ("mobile", "Samsung", "Model A", "ANDROID", "14"),
        ("mobile", "Samsung", "Model B", "ANDROID", "13"),
        ("mobile", "LG", "Model C", "ANDROID", "12"),
        ("tablet", "Samsung", "Model D", "ANDROID", "13"),
        ("mobile", "Apple", "Model E", "IOS", "17.3"),
        ("mobile", "Apple", "Model F", "IOS", "17.2"),
        ("mobile", "Apple", "Model G", "IOS", "16.7"),
        ("tablet", "Apple", "Model H", "IOS", "17.3"),
    )
)
_PLACES = pa.array(
    {"continent": continent, "country": country, "region": region, "city": city}
    for continent, country, region, city in (
        ("Asia", "South Korea", "Seoul", "Seoul"),
        ("Asia", "South Korea", "Gyeonggi-do", "Suwon-si"),
        ("Asia", "South Korea", "Busan", "Busan"),
        ("Asia", "Japan", "Tokyo", "Tokyo"),
        ("Americas", "United States", "California", "(not set)"),
    )
)
_CAMPAIGNS = pa.array(
    {"name": name, "medium": medium, "source": source}
    for name, medium, source in (
        ("(direct)", "(none)", "(direct)"),
        ("(organic)", "organic", "search"),
        ("invitation", "referral", "friend"),
        ("campus", "cpc", "sample-network"),
    )
)
_APPS = pa.array(
    {"id": "com.example.calback", "version": version, "install_source": "store"}
    for version in ("1.9.4", *(f"2.{minor}.0" for minor in range(64)))
)
_PRIVACY = pa.array(
    {"analytics_storage": consent, "ads_storage": consent, "uses_transient_token": "No"} for consent in ("No", "Yes")
)
_PLATFORMS = pa.array(["ANDROID", "IOS"])
_STREAMS = pa.array(["1000000001", "1000000002"])
_EVENT_NAMES = pa.array([event.name for event in Event])

_AUTOMATIC = {
    Event.first_open,
    Event.session_start,
    Event.screen_view,
    Event.user_engagement,
    Event.notification_receive,
    Event.app_remove,
    Event.app_update,
    Event.os_update,
    Event.app_exception,
}
_METHODS = ("google", "apple", "email")
_KINDS = ("reminder", "invitation", "friend")
_TEXT_PARAMS = {
    Event.screen_view: ("firebase_screen", ("home", "calendar", "meeting", "friends", "profile", "settings")),
    Event.login: ("method", _METHODS),
    Event.sign_up: ("method", _METHODS),
    Event.calendar_view: ("view", ("month", "week", "day")),
    Event.meeting_open: ("role", ("owner", "guest")),
    Event.calendar_share: ("target", ("friend", "group", "link", "image")),
    Event.theme_change: ("theme", ("light", "dark", "green", "pink")),
    Event.notification_open: ("kind", _KINDS),
    Event.notification_receive: ("kind", _KINDS),
}
_INT_PARAMS = {
    Event.first_open: "previous_first_open_count",
    Event.user_engagement: "engagement_time_msec",
    Event.search: "query_length",
}
_TEXT_VALUES = 8
"""Places for the texts that one parameter can have; a value beyond the last text starts over."""

_VALUE_FIELDS = [
    pa.field("string_value", pa.string()),
    pa.field("int_value", pa.int64()),
    pa.field("float_value", pa.float64()),
    pa.field("double_value", pa.float64()),
]
_PROPERTY_VALUE_FIELDS = [*_VALUE_FIELDS, pa.field("set_timestamp_micros", pa.int64())]
_NO_WORD = -1


class _Vocabulary:
    """Every text of the parameters, and by event the codes of its own parameter's key and texts."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self.session_id = self._code("ga_session_id")
        self.session_number = self._code("ga_session_number")
        self.session_engaged = self._code("session_engaged")
        self.event_origin = self._code("firebase_event_origin")
        self.digits = np.array([self._code("0"), self._code("1")])
        automatic, by_app = self._code("auto"), self._code("app")
        self.origin = np.array([automatic if event in _AUTOMATIC else by_app for event in Event])
        self.own_key = np.full(len(Event), _NO_WORD)
        self.own_text = np.full((len(Event), _TEXT_VALUES), _NO_WORD)
        for event, (key, texts) in _TEXT_PARAMS.items():
            self.own_key[event] = self._code(key)
            self.own_text[event] = [self._code(texts[index % len(texts)]) for index in range(_TEXT_VALUES)]
        for event, key in _INT_PARAMS.items():
            self.own_key[event] = self._code(key)
        self._array = pa.array(self._words)

    def texts(self, codes: Ints) -> pa.Array:
        """The words of these codes, null where there is none."""
        return self._array.take(pa.array(codes, mask=codes == _NO_WORD))

    def _code(self, word: str) -> int:
        if word not in self._words:
            self._words.append(word)
        return self._words.index(word)


class RowShape:
    """Turns events into rows of the export."""

    def __init__(self, people: People, devices: Devices) -> None:
        self._people = people
        self._devices = devices
        self._user_ids = pa.array(people.user_id)
        self._pseudo_ids = pa.array(devices.pseudo_id)
        self._vocabulary = _Vocabulary()

    def table(self, events: EventRows, uploaded_after: Ints, event_date: str) -> pa.Table:
        """The events as rows with every column that an export can have."""
        devices, device, count = self._devices, events.device, len(events.time)
        profile, consent = devices.profile[device], devices.consent[device]
        ios = profile >= _FIRST_IOS_PROFILE
        return pa.table(
            {
                "event_date": pa.repeat(event_date, count),
                "event_timestamp": pa.array(events.time),
                "event_name": _EVENT_NAMES.take(pa.array(events.name)),
                "event_params": self._params(events, ios),
                "user_id": self._user_ids.take(pa.array(events.person, mask=~events.known)),
                "user_pseudo_id": self._pseudo_ids.take(pa.array(device, mask=~consent)),
                "user_first_touch_timestamp": pa.array(devices.first_touch[device], mask=~consent),
                "user_properties": self._properties(events),
                "event_bundle_sequence_id": pa.array(events.bundle),
                "event_server_timestamp_offset": pa.array(uploaded_after),
                "batch_event_index": pa.array(events.batch_index),
                "batch_ordering_id": pa.array(events.bundle % 2 + 1),
                "batch_page_id": pa.nulls(count, pa.int64()),
                "platform": _PLATFORMS.take(pa.array(ios.astype(np.int64))),
                "stream_id": _STREAMS.take(pa.array(ios.astype(np.int64))),
                "is_active_user": pa.array(events.engaged),
                "device": _PROFILES.take(pa.array(profile)),
                "geo": _PLACES.take(pa.array(devices.place[device])),
                "app_info": _APPS.take(pa.array(self._app_version(events))),
                "traffic_source": _CAMPAIGNS.take(pa.array(devices.campaign[device])),
                "privacy_info": _PRIVACY.take(pa.array(consent.astype(np.int64))),
            }
        )

    def _app_version(self, events: EventRows) -> Ints:
        lag = self._devices.update_lag[events.device]
        day = (events.time - day_start(0)) // DAY
        return np.where(lag == NEVER, 0, np.maximum(2 + (day - lag) // RELEASE_EVERY, 1))

    def _params(self, events: EventRows, ios: Bools) -> pa.Array:
        """Lay out five parameters an event, in columns, and keep those that the event has."""
        words, name = self._vocabulary, events.name
        in_session = events.session_id != 0
        engaged = events.engaged.astype(np.int64)
        no_word, no_number = np.full_like(name, _NO_WORD), np.zeros_like(name)
        own_key, own_text = words.own_key[name], words.own_text[name, events.value % _TEXT_VALUES]
        # iOS sends session_engaged as text, Android as a number: both stand in real exports.
        engaged_text = np.where(ios, words.digits[engaged], _NO_WORD)
        layout = (
            (in_session, np.full_like(name, words.session_id), no_word, events.session_id),
            (in_session, np.full_like(name, words.session_number), no_word, events.session_number),
            (in_session, np.full_like(name, words.session_engaged), engaged_text, engaged),
            (name >= 0, np.full_like(name, words.event_origin), words.origin[name], no_number),
            (own_key != _NO_WORD, own_key, own_text, events.value),
        )
        has, keys, texts, numbers = (np.column_stack(column) for column in zip(*layout, strict=True))
        keys, texts, numbers = keys[has], texts[has], numbers[has]
        params = _keyed(words.texts(keys), words.texts(texts), pa.array(numbers, mask=texts != _NO_WORD), _VALUE_FIELDS)
        return pa.ListArray.from_arrays(_offsets(has.sum(axis=1)), params)

    def _properties(self, events: EventRows) -> pa.Array:
        """Signed-in people carry one user property, set at the sign-up."""
        who = events.person[events.known]
        value = pa.array(["off", "on"]).take(pa.array((who % 4 > 0).astype(np.int64)))
        properties = _keyed(
            pa.repeat("push_enabled", len(who)),
            value,
            pa.nulls(len(who), pa.int64()),
            _PROPERTY_VALUE_FIELDS,
            pa.array(self._people.created[who]),
        )
        return pa.ListArray.from_arrays(_offsets(events.known.astype(np.int64)), properties)


def _keyed(keys: pa.Array, texts: pa.Array, numbers: pa.Array, fields: list[pa.Field], *more: pa.Array) -> pa.Array:
    """Structs of a key and a value; the two kinds of fractions are always null here."""
    fractions = pa.nulls(len(keys), pa.float64())
    values = pa.StructArray.from_arrays([texts, numbers, fractions, fractions, *more], fields=fields)
    return pa.StructArray.from_arrays([keys, values], names=["key", "value"])


def _offsets(lengths: Ints) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
