"""A video, watched once -> for every person who walks through it, the crops that a pose network reads."""

from collections.abc import Iterable, Iterator

from gaitnet.video.detect import PersonDetector
from gaitnet.video.read import Frame
from gaitnet.video.track import Tracker
from gaitnet.video.walk import PeopleConfig, PersonTrack, Walk


def people(
    frames: Iterable[Frame], detector: PersonDetector | None = None, config: PeopleConfig | None = None
) -> Iterator[PersonTrack]:
    """Everybody who appears in a stream of frames, as tracks or parts of tracks, in the order in which they end.

    A `detector` may have looked ahead (`PersonDetector.prime`). Memory does not grow with the stream's length, but for
    the boxes (48 bytes a frame) of whoever is followed and not described.
    """
    detector, config = detector or PersonDetector(), config or PeopleConfig()
    tracker = Tracker()
    files: dict[int, Walk] = {}
    for frame in frames:
        found = detector(frame)
        ended = tracker.update(frame, found.boxes, found.scores)
        for track in [*tracker.live, *ended]:
            file = files.setdefault(track.track_id, Walk(track, config))
            file.take(frame, found.boxes)
            part = file.segment_due()
            if part is not None:
                yield part
            back = file.turned()
            if back is not None:
                yield from files.pop(track.track_id).close()
                tracker.renumber(track)
                files[track.track_id] = back
        for track in ended:
            yield from files.pop(track.track_id).close()
        alive = {track.track_id for track in tracker.live}
        for gone in [track_id for track_id in files if track_id not in alive]:
            del files[gone]  # a flicker that never became a person
    for track in tracker.finish():
        yield from files.pop(track.track_id).close()
