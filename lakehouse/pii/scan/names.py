"""What a column's name says of its values: evidence, never proof.

Names are read in the languages that schemas are written in most: English first, then German, French, Spanish,
Italian, Portuguese, Dutch, Polish, Swedish; and the commonest words of other scripts (`scripts`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.scan.scripts import in_english

_CAMEL: Final = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPLIT: Final = re.compile(r"[^a-z0-9]+")

# Each is searched in the words of the name, between borders of words.
_FOR: Final[dict[str, str]] = {
    "EMAIL_ADDRESS": r"e ?mails?( ?(address(es)?|addr|adresse|id))?|mail ?(address|adresse|addr)?|correo|"
    r"courriel|"
    r"e ?post|epost(adress)?|posta elettronica",
    "PHONE_NUMBER": r"(tele)?phones?( ?(number|no|nr|num))?|tel|telno|tel ?nr|mob(ile)?s?( ?(number|no|nr|"
    r"phone))?|telf|"
    r"cell( ?phone)?|fax( ?(number|no|nr))?|msisdn|whatsapp|telefon(nummer|o|e|i)?|handy(nummer)?|"
    r"mobil(nummer|nr)?|"
    r"telephone|portable|movil|celular|cellulare|telefoon(nummer)?|komorka|mobiltelefon|ruf ?nummer|rufnr|"
    r"call ?back( number)?|landline|sms( number)?",
    "CREDIT_CARD": r"(credit|debit|payment|bank)? ?card ?(number|no|nr|num)?|cc ?(number|num|no)?|pan|"
    r"kreditkarte"
    r"(nnummer)?|carte( bancaire| bleue)?|tarjeta|carta( di)? credito|numero carta|creditcard(number)?|"
    r"kort ?nummer",
    "IBAN_CODE": r"iban( code| number| no)?|bank ?account|konto( ?nummer)?|compte|cuenta|conto|"
    r"rekening(nummer)?|"
    r"account ?iban|payout account",
    "US_SSN": r"ssn|social ?security( ?(number|no))?|socsec|tax ?payer ?id|tin",
    "US_ITIN": r"itin|individual tax ?payer( id)?",
    "US_PASSPORT": r"passports?( ?(number|no|nr|num))?",
    "US_DRIVER_LICENSE": r"driv(er|ers|ing) ?licen[sc]e( ?(number|no|nr))?|dl ?(number|no)|"
    r"licen[sc]e ?(number|no)",
    "US_BANK_NUMBER": r"bank ?(account)? ?(number|no|nr)|account ?(number|no|nr)|acct( ?(number|no|nr))?|"
    r"routing",
    "IP_ADDRESS": r"ip( ?(address(es)?|addr|v4|v6))?|ip ?addr|ipv4|ipv6|remote ?addr|client ?ip|"
    r"source ?ip|src ?ip|dst ?ip|"
    r"adresse ip|login ?ip|last ?ip|(x )?forwarded( for)?|remote host|peer address",
    "MAC_ADDRESS": r"mac( ?(address|addr))?|bssid|hw ?addr(ess)?|hardware ?address|device ?mac",
    "CRYPTO": r"btc|bitcoin|eth(ereum)?( ?(address|addr|wallet))?|crypto|wallet( ?(address|addr))?|"
    r"payout address",
    "VIN": r"vin|vehicle ?id(entification)?( ?(number|no|code))?|chassis ?(number|no)|"
    r"fahrgestell ?(nummer|nr)|fahrzeug ?ident(ifikations)? ?(nummer|nr)|numero de (chassis|chasis)|"
    r"telaio",
    "LICENSE_PLATE": r"(licen[sc]e|number|vehicle|car|registration|reg) ?plates?( ?(number|no))?|"
    r"plate ?(number|no)|plates?|(kfz|auto) ?kennzeichen|kennzeichen|(plaque d )?immatriculation|matricula|"
    r"targa|kenteken|registreringsnummer|tablica rejestracyjna",
    "URL": r"(home ?page|web ?site|profile( ?(url|link|page))?|linked ?in|git ?hub|twitter|facebook|"
    r"instagram|blog|"
    r"portfolio|avatar( url)?|social( (url|link))?|personal (url|site))",
    "DATE_TIME": r"d ?o ?b|birth ?(date|day)?|date ?of ?birth|b ?day|birth ?dt|born( on)?|"
    r"geb(urts)? ?(datum|dat|tag)?|"
    r"geboren|(date|dt)( de)? naiss(ance)?|naissance|gbdat|(fecha|data)( de)? (nac(imiento)?|nascita|"
    r"nascimento)|"
    r"nacimiento|nascita|"
    r"nascimento|geboorte ?datum|data urodzenia|urodzenia|fodelse ?datum|birthdate|(year|yr) of birth|"
    r"birth ?year|"
    r"geburts ?jahr",
    "NRP": r"nationality|citizenship|religion|religious( (affiliation|belief))?|ethnicity|ethnic( (group|"
    r"origin))?|race|"
    r"political( (party|affiliation|view|opinion))?|faith|denomination|nationalitat|staatsangehorigkeit|"
    r"nationalite|"
    r"nacionalidad|konfession|cittadinanza|narodowosc",
    "MEDICAL_LICENSE": r"medical ?licen[sc]e|dea( ?(number|no))?|prescriber( ?(id|dea))?|npi",
    "UK_NHS": r"nhs( ?(number|no))?",
    "UK_NINO": r"nino|national insurance( ?(number|no))?|ni ?(number|no)",
    "IN_AADHAAR": r"aadhaar|aadhar|uid(ai)?",
    "IN_PAN": r"pan( ?(card|number|no))?|permanent account",
    "ES_NIF": r"nif|dni|nie",
    "IT_FISCAL_CODE": r"codice ?fiscale|fiscal ?code|cf|tax ?code",
    "PL_PESEL": r"pesel",
    "FI_PERSONAL_IDENTITY_CODE": r"hetu|henkilotunnus|personal identity code",
    "AU_TFN": r"tfn|tax file( number)?",
    "AU_MEDICARE": r"medicare",
    "SG_NRIC_FIN": r"nric|fin",
    "DE_TAX_ID": r"steuer ?(id|identifikationsnummer|nummer)|idnr",
    "LOCATION": r"address(es)?( ?line)?( ?\d)?|addr( ?line)?( ?\d)?|street( ?(address|name|line))?( ?\d)?|"
    r"city|town|"
    r"postal ?code|post ?code|zip( ?code)?|plz|residence|home ?town|birth ?place|place of birth|lives in|"
    r"(haus)?anschrift|adresse?|stra(ss|s)e|ort|wohnort|geburts ?ort|stadt|rue|ville|code postal|domicile|"
    r"calle|ciudad|"
    r"direccion|cod(igo)? postal|pin ?code|domicilio|indirizzo|citta|cap|via|comune|endereco|cidade|"
    r"cep|rua|straat|"
    r"woonplaats|"
    r"logradouro|bairro|distrito|municipio|barrio|colonia|quartier|quartiere|kommun|stras|ort|pstlz|"
    r"adres|ulica|miasto|kod pocztowy|adress|gatu?adress|gata|postnummer|postort|postcode|(home|"
    r"ship(ping)?|bill(ing)?|"
    r"delivery|mailing) (to|address|city|street|location)|location|locality",
    "PERSON": r"(ship|bill|delivery|invoice) ?names?|assignee|reviewer|approver|requester|reporter|"
    r"jmeno|prijmeni|navn|fornavn|etternavn|efternavn|etunimi|sukunimi|soyad|prenume|prezime|"
    r"(first|last|given|family|middle|maiden|full|sur|fore|nick|birth|display|legal|"
    r"preferred) ?names?|surname|"
    r"forename|firstname|lastname|fname|lname|f ?name|l ?name|(customer|client|contact|employee|patient|"
    r"person|user|"
    r"member|guest|passenger|student|teacher|buyer|payer|payee|recipient|sender|beneficiary|applicant|"
    r"author|owner|"
    r"manager|driver|tenant|subscriber|account ?holder|card ?holder|holder|agent|doctor|physician|candidate|"
    r"emergency contact|next of kin|spouse|partner|insured|policy ?holder|ship(ping)? ?to|bill(ing)? ?to|"
    r"deliver(y)? to|"
    r"signatory|signed by|approved by|created by|assigned to|reported by|attendee|visitor|caller|resident|"
    r"cardholder|"
    r"debtor|creditor|consignee|attention|attn)( ?(full|first|last))?( ?names?)?|names?|vor ?name|"
    r"nach ?name|vorna|nachn|namev|"
    r"familien ?name|zu ?name|nom( (de famille|complet))?|prenoms?|nombres?( completo)?|apellidos?|"
    r"cognome|nome"
    r"( completo)?|sobrenome|apelido|achternaam|voornaam|naam|imie|nazwisko|fornamn|efternamn|namn|"
    r"kunde(nname)?|"
    r"ansprechpartner|empfanger|inhaber|mitarbeiter|titulaire|titular|intestatario",
}
# Names of columns that nothing but people's names are put into, in any table.
_SURE: Final = (
    r"(first|last|given|family|middle|maiden|full|sur|fore|legal|preferred) ?names?|surname|forename|"
    r"[fl] ?name|"
    r"(customer|client|contact|employee|patient|person|member|guest|passenger|student|buyer|payer|"
    r"recipient|beneficiary|"
    r"applicant|account ?holder|card ?holder|policy ?holder|tenant|subscriber|doctor|physician|candidate|"
    r"visitor|"
    r"emergency contact|next of kin|driver|teacher|author|attendee|caller|resident)( (full|first|"
    r"last))? ?names?|"
    r"vor ?name|nach ?name|vorna|nachn|namev|familien ?name|zu ?name|prenoms?|nom de famille|apellidos?|"
    r"cognome|sobrenome|"
    r"apelido|"
    r"achternaam|voornaam|imie|nazwisko|fornamn|efternamn|kundenname|nombre completo|nome completo|"
    r"nom complet"
)
_POSTAL: Final = (
    r"postal|post ?code|zip( ?code)?|plz|cap|cep|pin ?code|postnummer|kod pocztowy|code postal|"
    r"cod(igo)? postal|"
    r"pstlz"
)
_LATITUDE: Final = r"([a-z]+ )*(lat|latitude|breitengrad|latitud)|(gps|geo) ?lat"
_LONGITUDE: Final = r"long|([a-z]+ )*(lon|lng|longitude|langengrad|longitud)|(gps|geo) ?(lon|lng|long)"

# A name with one of these is about a thing, whatever else it says.
_THING: Final = (
    r"product|produkt|produit|producto|item|sku|article|artikel|brand|marke|model|part|company|firma|"
    r"organi[sz]ation|org|"
    r"business|vendor|supplier|merchant|file|host|server|event|campaign|category|"
    r"kategorie|class|"
    r"type|kind|store|shop|warehouse|plant|site|branch|bank ?name|bank|plan|color|colour|font|department|"
    r"dept|abteilung|"
    r"group|role|team|project|projekt|course|app|application|device|domain|path|package|service|feature|"
    r"metric|"
    r"currency|unit|status|state|code ?name|job|queue|topic|tag|label|title|song|album|movie|book|game|"
    r"recipe|drug|"
    r"medicine|species|airport|station|country|region|release|version|build|firmware|os|browser|agent string|"
    r"user ?agent|bucket|repo|repository|branch|commit|schema|database|db|index|rule|policy ?name|channel|"
    r"carrier|"
    r"street ?name|theme|template|program|process|sensor|machine|vessel|vehicle|car|hotel|"
    r"restaurant|"
    r"office|building|room|floor|desk|subnet|network|cidr|"
    r"school|university|hospital|employer|arbeitgeber"
)
# A name with one of these is about numbers that only look like those of people.
_NUMBERED: Final = (
    r"order|bestell(ung|nummer|nr)?|invoice|rechnung(snummer)?|sku|ean|gtin|upc|isbn|asin|ticket|tracking|"
    r"track|serial|"
    r"seriennummer|product|produkt|article|artikel|part|batch|lot|charge|version|build|release|firmware|"
    r"reference|ref|"
    r"transaction|trx|txn|shipment|parcel|contract|vertrag|case|claim|request|session|token|hash|checksum|"
    r"digest|uuid|"
    r"guid|fingerprint|etag|key|timestamp|ts|epoch|created|updated|modified|millis|unix|offset|sequence|"
    r"seq|row|count|"
    r"qty|quantity|amount|price|total|number of|barcode|imei|vin|booking|po|rma|asset|commande|pedido|"
    r"ordine|zamowienie"
)
_MOMENTS: Final = (
    r"created|updated|modified|deleted|ordered|order|shipped|ship|delivered|event|start|end|due|expir(y|"
    r"es|ation)|valid|"
    r"last|login|seen|signed|signup|joined|hired|hire|registered|published|release|modification|visit|"
    r"payment|paid|"
    r"invoice|issue|issued|closed|opened|logged"
)
# Tables whose rows are people: a column that is just called `name` is theirs; and tables of things.
_PEOPLE: Final = (
    r"customers?|clients?|users?|people|persons?|contacts?|employees?|staff|patients?|members?|guests?|"
    r"passengers?|"
    r"students?|teachers?|subscribers?|applicants?|candidates?|leads?|profiles?|accounts?|kunden?|"
    r"mitarbeiter|personen|"
    r"patienten|utilisateurs?|personnes?|clientes|personas|empleados|utenti|clienti|dipendenti|klienci|"
    r"pracownicy|"
    r"anvandare|kunder|medewerkers|klanten|drivers?|doctors?|physicians?|authors?|attendees?|visitors?|"
    r"tenants?|"
    r"owners?|beneficiar(y|ies)|crm|hr|personnel|crew|borrowers?|voters?|donors?"
)


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a name says.

    Args:
        entities: Kinds of personal data that it speaks of; what it is exactly called first.
        sure: Nothing but names of people is put into columns called like that.
        thing: It is about a thing rather than a person.
        among_things: So are the rows, or the part that it is in.
        numbered: It is about numbers of things, as of orders.
        moment: It is about when something happened.
        people: The rows, or the part that it is in, are about people.
        bare: It is just called ``name``, which only says something where rows are people.
        postal: It is about postal codes.
        latitude: It is a latitude.
        longitude: It is a longitude.
    """

    entities: tuple[str, ...] = ()
    sure: bool = False
    thing: bool = False
    among_things: bool = False
    numbered: bool = False
    moment: bool = False
    people: bool = False
    bare: bool = False
    postal: bool = False
    latitude: bool = False
    longitude: bool = False
    words: tuple[str, ...] = ()

    def says(self, entity: str) -> bool:
        """Whether it speaks of a kind of personal data."""
        return entity in self.entities


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters without accents: ``customerEmail_2`` is customer, email, 2.

    Args:
        name: Of a column, field or table.
    """
    split = _CAMEL.sub(" ", in_english(name))
    folded = unicodedata.normalize("NFKD", split.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    plain = "".join(sign for sign in folded if not unicodedata.combining(sign)).lower()
    plain = re.sub(r"(?<=[a-z])(?=\d)", " ", plain)
    return tuple(word for word in _SPLIT.split(plain) if word)


class NameReader:
    """Reads names of columns; holds the expressions, which are built once."""

    def __init__(self) -> None:
        self._for = {entity: _between(pattern) for entity, pattern in _FOR.items()}
        self._exact = {entity: re.compile(f"(?:{pattern})") for entity, pattern in _FOR.items()}
        self._sure = _between(_SURE)
        self._thing, self._numbered = (_between(each, plural=True) for each in (_THING, _NUMBERED))
        self._moment, self._people = _between(_MOMENTS), _between(_PEOPLE)
        self._postal = _between(_POSTAL)
        self._latitude, self._longitude = _between(_LATITUDE), _between(_LONGITUDE)

    def read(self, path: ColumnPath, *, table: str = "") -> NameFacts:
        """Reads the name of a path.

        Args:
            path: Where the values are.
            table: The table's name.

        Returns:
            What it says.
        """
        own = words_of(path.names[-1])
        around = [word for name in (table, *path.names[:-1]) for word in words_of(name)]
        phrase, context = " ".join(own), " ".join(around)
        exact = [entity for entity, pattern in self._exact.items() if pattern.fullmatch(phrase)]
        within = [entity for entity, pattern in self._for.items() if pattern.search(phrase)]
        # `contact.value`, `phones[]`: a name that says nothing by itself is read with what is around it.
        if not within and phrase in _EMPTY_WORDS and len(path.names) > 1:
            parent = " ".join(words_of(path.names[-2]))
            within = [entity for entity, pattern in self._for.items() if pattern.search(parent)]
        people = bool(self._people.search(context)) or bool(self._people.search(phrase))
        sure = bool(self._sure.search(phrase))
        return NameFacts(
            entities=tuple(dict.fromkeys((*exact, *within))),
            sure=sure,
            thing=not sure and bool(self._thing.search(phrase)),
            among_things=not people and bool(self._thing.search(context)),
            numbered=bool(self._numbered.search(phrase)),
            moment=bool(self._moment.search(phrase)),
            people=people,
            bare=phrase in {"name", "names", "nom", "nombre", "nome", "naam", "namn", "display name"},
            postal=bool(self._postal.search(phrase)),
            latitude=bool(self._latitude.fullmatch(phrase)),
            longitude=bool(self._longitude.fullmatch(phrase)),
            words=own,
        )


_EMPTY_WORDS: Final = frozenset(("value", "values", "text", "number", "no", "nr", "data", "content", "id"))


def _between(pattern: str, *, plural: bool = False) -> re.Pattern[str]:
    ending = "(?:e?s|en|e)?" if plural else ""
    return re.compile(rf"(?<![a-z0-9])(?:{pattern}){ending}(?![a-z0-9])")
