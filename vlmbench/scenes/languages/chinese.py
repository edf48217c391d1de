"""Chinese: nothing agrees; attributes end in 的. Words as in the Chinese questions of MMBench's embedded sample."""

from __future__ import annotations

from vlmbench.scenes.languages.grammar import Language, Noun

NOUNS = {
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星星", "cross": "十字", "heart": "心形",
    "diamond": "菱形", "ring": "圆环", "moon": "月亮", "arrow": "箭头", "house": "房子", "hourglass": "沙漏",
    "figure": "图形", "symbol": "符号", "object": "物体",
}  # fmt: skip
ADJECTIVES = {
    "red": "红色的", "orange": "橙色的", "yellow": "黄色的", "green": "绿色的", "cyan": "青色的", "blue": "蓝色的",
    "purple": "紫色的", "white": "白色的", "small": "小的", "large": "大的", "solid": "纯色的", "striped": "条纹的",
    "dotted": "圆点的", "black": "黑色的", "gray": "灰色的", "brown": "棕色的", "teal": "蓝绿色的", "plain": "纯色的",
    "shaded": "渐变的", "checkered": "格子的",
}  # fmt: skip
SIDES = {"left": "左边", "right": "右边", "top": "上方", "bottom": "下方"}
DIRECTIONS = {"to the left": "左边", "to the right": "右边", "above": "上方", "below": "下方"}

CHINESE = Language(
    "Chinese",
    "请用英语回答。",
    nouns={english: Noun("", {"is": word}) for english, word in NOUNS.items()},
    adjectives={english: {"is": word} for english, word in ADJECTIVES.items()},
    words={
        "rel": {f"{name} of" if name.startswith("to") else name: word for name, word in DIRECTIONS.items()},
        "r": DIRECTIONS,
        "s": DIRECTIONS,
        "p": SIDES,
        "q": SIDES,
        "side": SIDES,
    },
    sentences={
        "exists": "图中有{k_is}吗？",
        "exists so": "图中有{w_is}{k_is}吗？",
        "is so": "{k_is}是{w_is}吗？",
        "is one": "{k_is}是{w_is}还是{v_is}？",
        "is both": "{k_is}既是{w_is}又是{v_is}吗？",
        "color": "{k_is}是什么颜色的？",
        "size": "{k_is}有多大？",
        "pattern": "{k_is}有什么图案？",
        "side": "{k_is}在图片的哪一边？",
        "place": "{k_is}在图片的{p}还是{q}？",
        "on side": "{k_is}在图片的{side}吗？",
        "thing": "{w_is}东西是什么？",
        "category": "哪个{c_is}是{w_is}？",
        "thing is": "{w_is}东西是{k_is}还是{l_is}？",
        "related": "{k_is}在{l_is}的{rel}吗？",
        "relation": "{k_is}在{l_is}的{r}还是{s}？",
        "neighbor": "{k_is}的{rel}是什么？",
        "neighbor color": "{k_is}{rel}的东西是什么颜色的？",
        "both": "图中既有{k_is}又有{l_is}吗？",
        "either": "图中有{k_is}或{l_is}吗？",
        "same color": "{k_is}和{l_is}的颜色相同吗？",
        "same pattern": "{k_is}和{l_is}的图案相同吗？",
        "other color": "{k_is}和{l_is}的颜色不同吗？",
        "other pattern": "{k_is}和{l_is}的图案不同吗？",
        "larger": "{k_is}和{l_is}哪个更大？",
        "smaller": "{k_is}和{l_is}哪个更小？",
        "background is": "背景是{g_is}吗？",
        "background is one": "背景是{g_is}还是{h_is}？",
        "background color": "背景是什么颜色的？",
        "background pattern": "背景有什么图案？",
    },
)
