"""What `prefilter: burst` passes over, what it loses and what it saves.

    python -m benchmarks.bars.prefilter [--assets DIR] [--detector BUNDLE] [--staged 300] [--composed 120] [--json]

**Real bursts**: photos that a camera took one after the other, and frames of a camera-trap film at one a second.
There are few real ones at hand, and fewer empty. **Emptied bursts**: where a camera's frames are boxed, each animal is
covered with what another frame shows there, which makes bursts of three: empty, empty, and as it was. All of it lives
as it did, grass, light and all. **Staged bursts**: the same of single photos, whose subjects are painted over from what
is around them; each is disturbed anew by noise, light, sway and JPEG. Their background does not live, so the share
passed over is too good, while what is lost by size is what they are for. **Composed bursts**: the sample card's scenes
with a small subject anywhere, in wind. With these the prefilter's limits were chosen, so they are no proof.

Each burst goes through the whole pipeline with the prefilter off and on, in turn. **Lost** is a photo in which the
detector finds something when it is shown it and which the prefilter passed over. No limit of the prefilter was chosen
with any of the real photos (edge_runtime/prefilter/glance.py says how).
"""
