"""Generated images that look a little like chest radiographs, to show the whole system without any download.

They show no patient and no disease; every file says so. Nothing measured on them says anything about medicine.
"""
