"""The public path of compressor's offline manifest storage, which ``collect`` holds."""

from herokuify.collect.offline import OfflineManifestStorage

__all__ = ["OfflineManifestStorage"]
