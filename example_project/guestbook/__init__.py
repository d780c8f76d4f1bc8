"""The guest book of the Kestrel Hut: photos, names and a line or two."""
