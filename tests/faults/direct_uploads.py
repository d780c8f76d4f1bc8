"""Faults of the settings for direct uploads, which system checks find."""

from tests.faults.fault import CHECK, Fault, Means

URLS = "from django.urls import include, path\n"
WITH_URLS = f'{URLS}urlpatterns = [path("uploads/", include("herokuify.uploads.urls"))]\n'
FILES = {"direct.py": WITH_URLS}
RULES = """\
INSTALLED_APPS.append("herokuify.uploads")
MIDDLEWARE.append("herokuify.uploads.middleware.DirectUploadMiddleware")
ROOT_URLCONF = "direct"
HEROKUIFY_DIRECT_UPLOADS = {"shop.Photo.file": {"max_size": 10_000_000}}
"""

DIRECT_UPLOADS = [
    Fault(
        "HEROKUIFY_DIRECT_UPLOADS names an unknown field",
        Means.CHECK,
        ("herokuify.E020", "shop.Photo.picture", "HEROKUIFY_DIRECT_UPLOADS"),
        settings=RULES.replace("shop.Photo.file", "shop.Photo.picture"),
        files=FILES,
        command=CHECK,
    ),
    Fault(
        "DirectUploadMiddleware is missing",
        Means.CHECK,
        ("herokuify.E019", "is not in MIDDLEWARE", "MIDDLEWARE = [..., "),
        settings=RULES + "del MIDDLEWARE[-1]\n",
        files=FILES,
        command=CHECK,
    ),
    Fault(
        "Pending direct uploads are in a public location",
        Means.CHECK,
        ("herokuify.E018", "pending", "AWS_PUBLIC_LOCATION"),
        settings=RULES + 'AWS_PUBLIC_LOCATION = "pending"\n',
        files=FILES,
        command=CHECK,
    ),
    Fault(
        "The Content Security Policy blocks direct uploads",
        Means.CHECK,
        ("herokuify.W018", "connect-src", "get_csp(STATIC_URL, MEDIA_URL, "),
        settings=RULES
        + 'MIDDLEWARE.append("django.middleware.csp.ContentSecurityPolicyMiddleware")\n'
        + 'SECURE_CSP = {"default-src": ["\'self\'"]}\n',
        files=FILES,
        command=CHECK,
        status=0,
    ),
    Fault(
        "Direct uploads to Cloudcube's bucket",
        Means.CHECK,
        ("herokuify.W019", "cloud-cube-eu", "heroku addons:create bucketeer"),
        env={"AWS_STORAGE_BUCKET_NAME": "cloud-cube-eu"},
        settings=RULES,
        files=FILES,
        command=CHECK,
        status=0,
    ),
]
