"""The frame that a card's diagrams are drawn in.

mermaid makes pictures of what anybody wrote, with styles in them that our own pages do not allow.
So it runs in a frame without our origin: no cookies, no network, no way out but one message that
says how high the picture is. The page hands it the library's code and the diagram's source; without
scripts the source stays on the page as code.
"""

from __future__ import annotations

from hub.http.sealed_frames import sealed_frame

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
frame = sealed_frame("Diagram", '<div id="place"></div>', style=STYLE, script=SCRIPT)
