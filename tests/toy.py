"""A visual family that a tiny model learns in seconds: white squares on a coloured ground, which is to be named or they counted."""

import io
import random

import PIL.Image
import PIL.ImageDraw

COLOURS = {"red": (214, 48, 38), "green": (46, 160, 67), "blue": (46, 84, 214), "yellow": (232, 200, 40)}
SYSTEM = "Answer."
SIDE, CELLS = 96, 3


def picture(colour, count, chance, side=SIDE):
    """PNG bytes of `count` squares in random cells, with some noise in size, place and shade."""
    shade = tuple(max(0, min(255, c + chance.randint(-18, 18))) for c in COLOURS[colour])
    image = PIL.Image.new("RGB", (side, side), shade)
    draw = PIL.ImageDraw.Draw(image)
    cell = SIDE // CELLS
    for place in chance.sample(range(CELLS * CELLS), count):
        left, top = place % CELLS * cell + chance.randint(2, 5), place // CELLS * cell + chance.randint(2, 5)
        side = chance.randint(22, 25)
        draw.rectangle([left, top, left + side, top + side], "white")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def questions(number, seed=0, kinds=("colour", "count")):
    """Rows of a source: what colour, or how many."""
    chance = random.Random(seed)
    for i in range(number):
        colour, count = chance.choice(list(COLOURS)), chance.randint(1, 5)
        kind = kinds[i % len(kinds)]
        yield {
            "id": f"toy-{seed}-{i}",
            "source": "toy",
            "question": "What colour?" if kind == "colour" else "How many?",
            "answer": colour if kind == "colour" else str(count),
            "options": list(COLOURS) if kind == "colour" else [],  # another word is then wrong, not undecided
            "images": [picture(colour, count, chance)],
            "kind": kind,
        }


def colours(number, seed=0):
    """Rows of a source: small pictures of one colour each, which is asked for."""
    chance = random.Random(seed)
    for i in range(number):
        colour = chance.choice(list(COLOURS))
        yield {
            "id": f"colour-{seed}-{i}",
            "source": "toy",
            "question": "What colour?",
            "answer": colour,
            "options": list(COLOURS),
            "images": [picture(colour, 0, chance, side=32)],
        }


def features(*columns):
    """The features of a final set's columns."""
    import datasets

    text = datasets.Value("string")
    chat = datasets.List({"role": text, "content": text})
    special = {
        "prompt": chat,
        "completion": chat,
        "images": datasets.List(datasets.Image()),
        "options": datasets.List(text),
        "pass_rate": datasets.Value("float64"),
    }
    return datasets.Features({name: special.get(name, text) for name in columns})


def final_set(rows, system=SYSTEM):
    """A set as `to_sft` and `to_rl` write it, both at once, with short prompts."""
    import datasets

    made = [
        {
            "id": row["id"],
            "prompt": [
                {"role": "system", "content": system},
                {"role": "user", "content": "<image>" * len(row["images"]) + row["question"]},
            ],
            "completion": [{"role": "assistant", "content": f"<think>I look.</think><answer>{row['answer']}</answer>"}],
            "images": [{"bytes": data, "path": None} for data in row["images"]],
            "question": row["question"],
            "options": row["options"],
            "answer": row["answer"],
        }
        for row in rows
    ]
    return datasets.Dataset.from_list(made, features(*made[0]))


TEXTS = [
    f"system\n{SYSTEM} user\nWhat colour? How many? assistant\n<think>I look.</think><answer>{answer}</answer>"
    for answer in (*COLOURS, *"12345")
]
"""What a tokenizer for these rows learns from."""


def answers(folder, dataset, max_new_tokens=16):
    """What a saved model answers to each row, greedily."""
    import torch
    from transformers import AutoModelForImageTextToText

    from mmcurate.train.model import family_of
    from mmcurate.train.processor import load_processor
    from mmcurate.train.rows import parts

    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = load_processor(folder, family_of(folder)[0])
    out = []
    for row in dataset:
        text = processor.apply_chat_template(parts(row["prompt"]), tokenize=False, add_generation_prompt=True)
        inputs = processor(images=row["images"] or None, text=[text], return_tensors="pt")
        with torch.no_grad():
            made = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
        out.append(processor.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0])
    return out
