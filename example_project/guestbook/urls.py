"""The URL patterns of the guest book."""

from django.urls import path

from guestbook import views

app_name = "guestbook"

urlpatterns = [path("", views.book, name="book")]
