"""The view of the guest book."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from guestbook.forms import EntryForm
from guestbook.models import Entry

ENTRIES_PER_PAGE = 25


@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest) -> HttpResponse:
    """Show the newest entries, and add one when the form is submitted."""
    form = EntryForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        entry = form.save()
        messages.success(request, f"Thank you, {entry.name}. Your page is in the book.")
        # Without a fragment here, browsers would keep the form's.
        return redirect(f"{reverse('guestbook:book')}#thanks")
    page = Paginator(Entry.objects.all(), ENTRIES_PER_PAGE).get_page(request.GET.get("page"))
    status = 422 if form.is_bound else 200
    return render(request, "guestbook/book.html", {"form": form, "page": page}, status=status)
