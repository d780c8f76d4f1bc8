from django.db import models


class Document(models.Model):
    file = models.FileField(upload_to="documents")


class Album(models.Model):
    title = models.CharField(max_length=40)


class Photo(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True)
    image = models.ImageField(upload_to="photos", width_field="width", height_field="height")
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)
