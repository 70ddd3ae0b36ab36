"""Words of columns' names in scripts that are not Latin, and what they say in English."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ENGLISH: Final = {
    # Japanese and Chinese; their words have no borders.
    "メールアドレス": "email", "電子メール": "email", "メール": "email", "电子邮件": "email",
    "電子郵件": "email", "邮箱": "email", "郵箱": "email",
    "電話番号": "phone number", "携帯電話": "mobile", "携帯番号": "mobile", "電話": "phone", "电话": "phone",
    "手机号": "mobile", "手机": "mobile", "手機": "mobile",
    "氏名": "full name", "お名前": "full name", "名前": "full name", "姓名": "full name", "住所": "address",
    "注文者名": "customer name", "購入者名": "buyer name", "契約者名": "client name",
    "利用者名": "client name", "申込者名": "applicant name",
    "郵便番号": "postal code", "邮政编码": "postal code", "邮编": "postal code", "地址": "address",
    "市区町村": "city", "城市": "city", "生年月日": "date of birth", "誕生日": "birthday",
    "出生日期": "date of birth", "生日": "birthday", "国籍": "nationality",
    # Korean.
    "이메일": "email", "전화번호": "phone number", "휴대폰": "mobile", "이름": "full name",
    "성명": "full name", "주소": "address", "우편번호": "postal code", "생년월일": "date of birth",
    # Russian, Ukrainian, Bulgarian.
    "электронная почта": "email", "почта": "email", "телефон": "phone", "номер телефона": "phone number",
    "фио": "full name", "имя": "first name", "фамилия": "last name", "отчество": "middle name",
    "адрес": "address", "город": "city", "индекс": "postal code", "дата рождения": "date of birth",
    "ім'я": "first name", "прізвище": "last name", "дата народження": "date of birth", "име": "first name",
    # Greek.
    "ηλεκτρονικο ταχυδρομειο": "email", "τηλεφωνο": "phone", "ονομα": "first name", "επωνυμο": "last name",
    "διευθυνση": "address", "πολη": "city", "ημερομηνια γεννησης": "date of birth",
    # Arabic and Hebrew.
    "البريد الإلكتروني": "email", "رقم الهاتف": "phone number", "الهاتف": "phone", "الجوال": "mobile",
    "الاسم": "full name", "العنوان": "address", "المدينة": "city", "تاريخ الميلاد": "date of birth",
    "דואר אלקטרוני": "email", "טלפון": "phone", "שם פרטי": "first name", "שם משפחה": "last name",
    "כתובת": "address", "תאריך לידה": "date of birth",
    # Hindi.
    "ईमेल": "email", "फ़ोन": "phone", "फोन": "phone", "मोबाइल": "mobile", "नाम": "full name",
    "उपनाम": "last name", "पता": "address", "शहर": "city", "पिन कोड": "postal code",
    "जन्म तिथि": "date of birth", "जन्मतिथि": "date of birth",
}  # fmt: skip
_WITHOUT_BORDERS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def folded(text: str) -> str:
    """A text in small letters, without accents, each sign in its usual form.

    Args:
        text: Any.
    """
    apart = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", plain)


def _searched(word: str) -> str:
    found = re.escape(folded(word)).replace(r"\ ", "[ _-]?")
    return found if _WITHOUT_BORDERS.search(word) else rf"(?<![^\W_]){found}(?![^\W_])"


_WORDS: Final = {folded(word): english for word, english in _ENGLISH.items()}
# Longer ones first: a phone number is more than a phone.
_ANY: Final = re.compile("|".join(map(_searched, sorted(_ENGLISH, key=len, reverse=True))))


def in_english(name: str) -> str:
    """A name of a column with the words that are known here in English, and the others as they are.

    Args:
        name: As the table has it.
    """
    if name.isascii():
        return name
    read, known = _ANY.subn(lambda found: f" {_WORDS[re.sub('[_-]', ' ', found[0])]} ", folded(name))
    return read if known else name
