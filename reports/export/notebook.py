# %%
import matplotlib.pyplot as plt
import pandas as pd

metric, stat = {metric}, {stat}
title, unit, log = {title}, {unit}, {log}
trials = pd.read_csv("trials.csv", keep_default_na=False, na_values={"value": [""]})
trials.head()
# %%
# Trials that count: no warm-ups, none that failed or was made once more.
made = trials[
    (trials["metric"] == metric)
    & (trials["stat"] == stat)
    & (trials["part_of"] == "")
    & (trials["warmup"].astype(str).str.lower() == "false")
    & (trials["repeated"].astype(str).str.lower() == "false")
    & trials["value"].notna()
]
# Several values of one trial (instances, observations) are one: their median.
values = made.groupby(["cell", "trial"], sort=False)["value"].median().reset_index()
values.groupby("cell", sort=False)["value"].describe()[["count", "min", "50%", "max"]]
# %%
rows = list(dict.fromkeys(values["cell"]))
figure, axes = plt.subplots(figsize=(8, 0.6 * len(rows) + 1.5))
for i, row in enumerate(rows):
    some = values[values["cell"] == row]["value"]
    axes.plot(some, [i] * len(some), "o", alpha=0.4)
    axes.plot([some.median()], [i], "D", color="black")
axes.set_yticks(range(len(rows)), rows)
axes.invert_yaxis()
axes.set_xscale("log" if log else "linear")
axes.set_xlabel(title + " [" + unit + "]")
axes.set_title(title)
figure.tight_layout()
plt.show()
