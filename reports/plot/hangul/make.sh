#!/bin/sh
# Makes the fonts of this folder anew: those letters of NanumGothic that Korean texts use.
# For whoever writes these texts; nothing that builds the lab needs it.
#
#   apt-get install fonts-nanum python3-fonttools && reports/plot/hangul/make.sh
#
# Its licence (LICENSE) reserves the names Nanum and NanumGothic for the whole font, so
# the part is called Lab Hangul.
set -eu
cd "$(dirname "$0")"
/usr/bin/python3 - <<'EOF'
from fontTools import subset
from fontTools.ttLib import TTFont

letters = {chr(c) for c in range(0x20, 0x7f)} | set("μ×÷±·°–—…→≤≥≠“”‘’ √²³½¹")
letters |= set(open("../../msg/ko.txt", encoding="utf-8").read()) - {"\n", "\t"}
for source, style in (("NanumGothic", "Regular"), ("NanumGothicBold", "Bold")):
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[1, 2, 4, 6], notdef_outline=True, drop_tables=["GSUB", "GPOS", "GDEF", "kern", "vhea", "vmtx", "DSIG", "gasp"])
    # The micro and the minus sign are missing: the Greek letter and the dash look so.
    missing = {0xb5: 0x3bc, 0x2212: 0x2013}
    font = TTFont(f"/usr/share/fonts/truetype/nanum/{source}.ttf", recalcTimestamp=False)
    part = subset.Subsetter(options)
    part.populate(text="".join(letters))
    part.subset(font)
    for table in font["cmap"].tables:
        for letter, like in missing.items():
            table.cmap[letter] = table.cmap[like]
    names = font["name"]
    names.names = []
    for number, text in ((0, "Copyright (c) 2010, NAVER Corporation. A part of NanumGothic, under the SIL Open Font License 1.1"), (1, "Lab Hangul"), (2, style), (4, f"Lab Hangul {style}"), (6, f"LabHangul-{style}")):
        names.setName(text, number, 3, 1, 0x409)
    font.save(f"{style.lower()}.ttf")
EOF
ls -l regular.ttf bold.ttf
