"""What Camtrap DP 1.0.2 asks of its tables and its descriptor, written down for validators that cannot fetch it.

Facts of https://camtrap-dp.tdwg.org: names, types and constraints; none of its text.
"""

from __future__ import annotations

from typing import Any

STAMP = "%Y-%m-%dT%H:%M:%S%z"
MISSING = ["", "NA", "NaN", "nan"]
KEY = {"deployments": "deploymentID", "media": "mediaID", "observations": "observationID"}


def _field(name: str, kind: str = "string", **constraints: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "type": kind}
    if kind == "datetime":
        made["format"] = STAMP
    if constraints:
        made["constraints"] = constraints
    return made


def _must(name: str, kind: str = "string", **constraints: Any) -> dict[str, Any]:
    return _field(name, kind, required=True, **constraints)


FIELDS: dict[str, list[dict[str, Any]]] = {
    "deployments": [
        _must("deploymentID", unique=True),
        _field("locationID"),
        _field("locationName"),
        _must("latitude", "number", minimum=-90, maximum=90),
        _must("longitude", "number", minimum=-180, maximum=180),
        _field("coordinateUncertainty", "integer", minimum=1),
        _must("deploymentStart", "datetime"),
        _must("deploymentEnd", "datetime"),
        _field("setupBy"),
        _field("cameraID"),
        _field("cameraModel"),
        _field("cameraDelay", "integer", minimum=0),
        _field("cameraHeight", "number", minimum=0),
        _field("cameraDepth", "number", minimum=0),
        _field("cameraTilt", "integer", minimum=-90, maximum=90),
        _field("cameraHeading", "integer", minimum=0, maximum=360),
        _field("detectionDistance", "number", minimum=0),
        _field("timestampIssues", "boolean"),
        _field("baitUse", "boolean"),
        _field("featureType"),
        _field("habitat"),
        _field("deploymentGroups"),
        _field("deploymentTags"),
        _field("deploymentComments"),
    ],
    "media": [
        _must("mediaID", unique=True),
        _must("deploymentID"),
        _field("captureMethod", enum=["activityDetection", "timeLapse"]),
        _must("timestamp", "datetime"),
        _must("filePath", pattern=r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"),
        _must("filePublic", "boolean"),
        _field("fileName"),
        _must("fileMediatype", pattern="^(image|video|audio)/.*$"),
        _field("exifData", "any"),
        _field("favorite", "boolean"),
        _field("mediaComments"),
    ],
    "observations": [
        _must("observationID", unique=True),
        _must("deploymentID"),
        _field("mediaID"),
        _field("eventID"),
        _must("eventStart", "datetime"),
        _must("eventEnd", "datetime"),
        _must("observationLevel", enum=["media", "event"]),
        _must("observationType", enum=["animal", "human", "vehicle", "blank", "unknown", "unclassified"]),
        _field("cameraSetupType", enum=["setup", "calibration"]),
        _field("scientificName"),
        _field("count", "integer", minimum=1),
        _field("lifeStage", enum=["adult", "subadult", "juvenile"]),
        _field("sex", enum=["female", "male"]),
        _field("behavior"),
        _field("individualID"),
        _field("individualPositionRadius", "number", minimum=0),
        _field("individualPositionAngle", "number", minimum=-90, maximum=90),
        _field("individualSpeed", "number", minimum=0),
        _field("bboxX", "number", minimum=0, maximum=1),
        _field("bboxY", "number", minimum=0, maximum=1),
        _field("bboxWidth", "number", minimum=1e-15, maximum=1),
        _field("bboxHeight", "number", minimum=1e-15, maximum=1),
        _field("classificationMethod", enum=["human", "machine"]),
        _field("classifiedBy"),
        _field("classificationTimestamp", "datetime"),
        _field("classificationProbability", "number", minimum=0, maximum=1),
        _field("observationTags"),
        _field("observationComments"),
    ],
}
_DEPLOYMENT = {"fields": "deploymentID", "reference": {"resource": "deployments", "fields": "deploymentID"}}
_MEDIUM = {"fields": "mediaID", "reference": {"resource": "media", "fields": "mediaID"}}
FOREIGN: dict[str, list[dict[str, Any]]] = {
    "deployments": [],
    "media": [_DEPLOYMENT],
    "observations": [_DEPLOYMENT, _MEDIUM],
}


def schema(table: str) -> dict[str, Any]:
    """A table's schema, as Frictionless reads it."""
    return {
        "fields": FIELDS[table],
        "missingValues": MISSING,
        "primaryKey": KEY[table],
        "foreignKeys": FOREIGN[table],
    }


_TEXT = {"type": "string", "minLength": 1}
_RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies"]
_DAY = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_TABLE = {
    "type": "object",
    "required": ["name", "path", "profile", "schema"],
    "properties": {
        "name": {"enum": list(FIELDS)},
        "path": _TEXT,
        "profile": {"const": "tabular-data-resource"},
        "schema": {"type": "string", "pattern": r"^https://.*1\.0\.2"},
    },
}
_OTHER = {"type": "object", "required": ["name"], "properties": {"name": {"not": {"enum": list(FIELDS)}}}}
PROFILE: dict[str, Any] = {
    "type": "object",
    "required": [
        *("resources", "profile", "created", "contributors", "project", "spatial", "temporal", "taxonomic"),
    ],
    "properties": {
        "resources": {"type": "array", "minItems": 3, "items": {"oneOf": [_TABLE, _OTHER]}},
        "profile": {"type": "string", "pattern": r"^https://.*1\.0\.2"},
        "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "contributors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["title"],
                "properties": {
                    "title": _TEXT,
                    "role": {"enum": ["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"]},
                },
            },
        },
        "licenses": {
            "type": "array",
            "minItems": 2,
            "items": {"required": ["scope", "name"], "properties": {"scope": {"enum": ["data", "media"]}}},
        },
        "project": {
            "type": "object",
            "required": ["title", "samplingDesign", "captureMethod", "individualAnimals", "observationLevel"],
            "properties": {
                "title": _TEXT,
                "samplingDesign": {
                    "enum": [
                        *("simpleRandom", "systematicRandom", "clusteredRandom"),
                        *("experimental", "targeted", "opportunistic"),
                    ]
                },
                "captureMethod": {
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"enum": ["activityDetection", "timeLapse"]},
                },
                "individualAnimals": {"type": "boolean"},
                "observationLevel": {"type": "array", "items": {"enum": ["media", "event"]}},
            },
        },
        "spatial": {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"const": "MultiPoint"},
                "coordinates": {
                    "type": "array",
                    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
                },
            },
        },
        "temporal": {"type": "object", "required": ["start", "end"], "properties": {"start": _DAY, "end": _DAY}},
        "taxonomic": {
            "type": "array",
            "items": {
                "required": ["scientificName"],
                "properties": {"scientificName": _TEXT, "taxonRank": {"enum": _RANKS}},
            },
        },
    },
}
