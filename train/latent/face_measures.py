"""What can be measured of a picture of a face, as numbers by name: what labels and directions are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np

from curate.pipeline.core.config import override
from curate.pipeline.faces import ffhq, hair_share, model_files, person_mask, pose, smile
from curate.pipeline.faces.alignment import Aligner, Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.embedding import MODEL as EMBEDDING
from curate.pipeline.faces.embedding import FaceNet
from curate.pipeline.faces.landmarkers import LANDMARKERS
from curate.pipeline.imaging import quality
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.tables.manifest import OK

Identity: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

SEEN = 256  # px, the least that a picture is enlarged to: detectors were made for photos

# By name, what each says in words; also what unlabelled directions are named by.
MEASURES = {
    "smile": "mouth's width, raised corners and opening, eye distances",
    "mouth_open": "from lip to lip, eye distances",
    "eye_open": "from lid to lid, eye distances",
    "yaw": "degrees, > 0: turned to the right of the picture",
    "pitch": "degrees, > 0: chin up",
    "roll": "degrees, > 0: leaning to the right of the picture",
    "hair_share": "of the person's px above the shoulders; where the person's mask is on this machine",
    "brightness": "mean luma of the picture, 0..255",
    "colourfulness": "Hasler and Suesstrunk's, 0 for greys",
    "cascade": "hits of OpenCV's smile cascade around the mouth",
}
COLUMNS = {"smile": "smile_measure"}  # of labels.parquet, where an answer has the measure's own name


class FaceMeasures:
    """Finds the face of a picture and measures it; loads its models once. Raises ModelError for one that is missing."""

    def __init__(self) -> None:
        # Where closed lips part, dlib's points of a mouth jump, and the measure falls in the midst of a smile.
        rules = override(CropRules(), "crop", align="ffhq", landmarks="mesh", min_face=SEEN // 8, max_roll=90.0)
        self._aligner, self._landmarker = Aligner(rules), LANDMARKERS.resolve(rules.landmarks)()
        has_mask = model_files.find(person_mask.MODEL) is not None
        self._person = person_mask.load() if has_mask else None
        self._net: FaceNet | None = None

    def __call__(self, picture: RGB) -> dict[str, float]:
        """MEASURES of uint8 [H, W, 3], those that are known; without a face only those of the whole picture."""
        return self.of(*self._find(picture))

    def of(self, image: RGB, cut: Cut | None) -> dict[str, float]:
        """The same of a picture whose face is known."""
        whole = quality.measure(image)
        found = {name: whole[name] for name in ("brightness", "colourfulness")}
        if cut is None or cut.detected is None or cut.landmarks is None:
            return found
        points, face = cut.landmarks, cut.detected.face
        yaw, pitch = pose.yaw_pitch(points[None])[0]
        found |= smile.calm_measures(image, face.box, face.angle, self._landmarker)
        found |= {"yaw": float(yaw), "pitch": float(pitch), "roll": ffhq.roll(points)}
        found["cascade"] = smile.cascade_hits(image, points)
        if self._person is not None:
            found["hair_share"] = hair_share.measure(image, points, self._person)
        return found

    def identity(self, picture: RGB) -> Identity | None:
        """The unit vector of who is in the picture, by dlib's face recognition network.

        None without a face, or where that network is not on this machine.
        """
        return self._identity(*self._find(picture))

    def with_identity(self, picture: RGB) -> tuple[dict[str, float], Identity | None]:
        """Both; the face is looked for once."""
        image, cut = self._find(picture)
        return self.of(image, cut), self._identity(image, cut)

    def _identity(self, image: RGB, cut: Cut | None) -> Identity | None:
        if cut is None or cut.landmarks is None or model_files.find(EMBEDDING) is None:
            return None
        if self._net is None:
            self._net = FaceNet()
        vector = self._net(image, cut.landmarks)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)

    def _find(self, picture: RGB) -> tuple[RGB, Cut | None]:
        side = max(picture.shape[:2])
        image = picture
        if side < SEEN:
            size = round(picture.shape[1] * SEEN / side), round(picture.shape[0] * SEEN / side)
            image = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        return image, next((cut for cut in self._aligner(image) if cut.reason == OK), None)
