"""The champion as a service: photo bytes in, restored photo bytes out, over HTTP.

settings.py   what is served, where, within which limits     model.py     one version, proved ready
app.py        the ASGI application                           models.py    what each alias serves now
loads.py      other aliases, loaded aside
answers.py    refusals in words, who may ask, what is told   turns.py     one restoration at a time
uploads.py    a body within its limits                       readings.py  what /metrics tells
here.py       run by uvicorn in this process                 page.html.j2, reference.html.j2

The same application runs inside Ray Serve (components/services/cluster/serving.py).
"""
