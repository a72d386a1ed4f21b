"""The frame that a card's diagrams are drawn in.

mermaid makes pictures of what anybody wrote, with styles in them that our own pages do not allow.
So it runs in a frame without our origin: no cookies, no network, no way out but one message that
says how high the picture is. The page hands it the library's code and the diagram's source; without
scripts the source stays on the page as code.
"""

from __future__ import annotations

import base64
import hashlib

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

SCRIPT = """
"use strict";
let loading;
function load(code) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    script.onload = resolve;
    script.onerror = () => reject(new Error("the library did not load"));
    document.head.append(script);
  });
  return loading;
}
addEventListener("message", async (event) => {
  const port = event.ports[0];
  if (!port) return;
  try {
    await load(event.data.code);
    mermaid.initialize({
      startOnLoad: false, securityLevel: "strict", htmlLabels: false,
      flowchart: { htmlLabels: false }, maxTextSize: 20000, maxEdges: 300,
      theme: event.data.dark ? "dark" : "neutral", fontFamily: "system-ui, sans-serif",
    });
    const drawn = await mermaid.render("drawn", event.data.source);
    document.getElementById("place").innerHTML = drawn.svg;
    port.postMessage({ drawn: true });
  } catch (error) {
    port.postMessage({ error: String(error) });
  }
});
"""
STYLE = (
    "html,body{margin:0;height:100%;background:transparent}"
    "#place{height:100%;display:grid;place-items:center}"
    "#place svg{max-width:100%!important;max-height:100%;width:100%;height:100%}"
)
PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Diagram</title>'
    f'<style>{STYLE}</style><div id="place"></div><script>{SCRIPT}</script></html>'
)
_DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'sha256-{_DIGEST}' blob:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)


@require_safe
@xframe_options_exempt
@cache_control(public=True, max_age=3600)
def frame(request: HttpRequest) -> HttpResponse:
    """An empty picture that waits for its source."""
    return HttpResponse(PAGE, headers={"Content-Security-Policy": POLICY})
