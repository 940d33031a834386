"""The winner as a service: images in over HTTP, classes out, by the fastest ONNX file that a search ships.

One process speaks HTTP and lets in who may ask; the replicas of a Ray Serve deployment decode and classify, several
images at a time. A damaged image can take a replica with it, and not the service.
"""
