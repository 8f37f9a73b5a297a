"""What all pages have in common: templates that escape what they are given, and pictures inside."""

import base64

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

REPORTS = "xmirad.evaluation"


def page_template(name: str, *, package: str = REPORTS) -> Template:
    """Return a page's template. Whatever it is given becomes text, never markup; what it is not given is an error.

    Args:
        name: File in the folder `templates` of the package.
        package: Where the template is; it may include those of the reports, such as their style.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(REPORTS)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def data_uri(data: bytes, media_type: str) -> str:
    """Return a picture as the source of an image element."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
