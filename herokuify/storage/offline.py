"""The public path of compressor's offline manifest storage, which is in ``collect``."""

from herokuify.collect.offline import OfflineManifestStorage

__all__ = ["OfflineManifestStorage"]
