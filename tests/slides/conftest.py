"""A Chromium for the slides."""

import browsers

browser = browsers.browser
