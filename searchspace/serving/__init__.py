"""The winner as a service: images in over HTTP, classes out, by the fastest ONNX file that a search ships.

One process serves HTTP and checks access; the replicas of a Ray Serve deployment decode and classify, several images
at a time. A damaged image can end a replica, but not the service.
"""
