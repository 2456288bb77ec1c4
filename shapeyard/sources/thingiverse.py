"""Thingiverse's categories as 3D Net used them: 10 main ones, 66 below them, each with its id in Thingiverse's API."""

from __future__ import annotations

CATEGORIES: dict[str, dict[str, int]] = {
    "3d": {
        "printer_accessories": 127,
        "printer_extruders": 152,
        "printer_parts": 128,
        "printers": 126,
        "printing_tests": 129,
    },
    "art": {
        "2d": 144,
        "tools": 75,
        "coins_badges": 143,
        "interactive": 78,
        "math": 79,
        "scans_replicas": 145,
        "sculptures": 80,
        "signs_logos": 76,
    },
    "fashion": {
        "accessories": 81,
        "bracelets": 82,
        "costume": 142,
        "earrings": 139,
        "glasses": 83,
        "jewelry": 84,
        "keychains": 130,
        "rings": 85,
    },
    "gadgets": {"audio": 141, "camera": 86, "computer": 87, "mobile_phone": 88, "tablet": 90, "video_games": 91},
    "hobby": {
        "automotive": 155,
        "diy": 93,
        "electronics": 92,
        "music": 94,
        "rc_vehicles": 95,
        "robotics": 96,
        "sport_outdoors": 140,
    },
    "household": {
        "bathroom": 147,
        "containers": 146,
        "decor": 97,
        "supplies": 99,
        "kitchen_dining": 100,
        "office_organization": 101,
        "outdoor_garden": 98,
        "pets": 103,
    },
    "learning": {"biology": 106, "engineering": 104, "math": 105, "physics_astronomy": 148},
    "models": {
        "animals": 107,
        "buildings_structures": 108,
        "creatures": 109,
        "food_drink": 110,
        "furniture": 111,
        "robots": 115,
        "people": 112,
        "props": 114,
        "vehicles": 116,
    },
    "tools": {"hand": 118, "machine": 117, "holders_boxes": 120},
    "toys": {
        "chess": 151,
        "construction": 121,
        "dice": 122,
        "games": 123,
        "mechanical": 124,
        "playsets": 113,
        "puzzles": 125,
        "accessories": 149,
    },
}
"""Main category → sub category → id."""
CLASS_OF_CATEGORY = {str(number): f"{main}__{sub}" for main, subs in CATEGORIES.items() for sub, number in subs.items()}
"""Id, as a folder of downloaded things is named by it → the class's name on both levels."""
